"""What the work in the background is called, the processes that do it, and those who follow the log. The keys are the
names that the code gives them (wiring.loops, wiring.subscriptions, processes.roles).
"""

from regulars.kernel.languages import Text

WORK: dict[str, Text] = {
    "intake": Text("Taking events in", "接收事件"),
    "numbering": Text("Numbering events", "事件编号"),
    "dispatch warehouse": Text("Handing events to the warehouse", "向分析库分发事件"),
    "dispatch webhooks": Text("Handing events to webhooks", "向 Webhook 分发事件"),
    "live refresh": Text("Live refresh", "实时刷新"),
    "full refresh": Text("Full refresh", "全量刷新"),
    "lake": Text("Upkeep of the lake", "数据湖维护"),
    "webhooks": Text("Sending webhooks", "发送 Webhook"),
    "jobs 1": Text("Jobs, place 1", "任务执行 1"),
    "jobs 2": Text("Jobs, place 2", "任务执行 2"),
    "abandoned jobs": Text("Taking up abandoned jobs", "接手中断的任务"),
    "schedule retention": Text("Letting old events go", "清理过期事件"),
    "schedule tidying": Text("Tidying up", "日常清理"),
    "signs of life": Text("Signs of life", "心跳上报"),
}
PROCESSES: dict[str, Text] = {
    "intake": Text("Intake", "事件接收"),
    "rest": Text("Console and work", "控制台与后台"),
    "worker": Text("Worker", "后台进程"),
}
SUBSCRIBERS: dict[str, Text] = {
    "warehouse": Text("Warehouse", "分析库"),
    "webhooks": Text("Webhooks", "Webhook"),
}


def work(name: str) -> str:
    """A loop's name to read; one of another version stays as it is."""
    return str(WORK.get(name, name))


def process(name: str) -> str:
    return str(PROCESSES.get(name, name))


def subscriber(name: str) -> str:
    return str(SUBSCRIBERS.get(name, name))
