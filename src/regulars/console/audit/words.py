"""What the entries of the audit trail say to people, in both languages."""

from django.urls import NoReverseMatch, reverse

from regulars.kernel.languages import Text

ACTIONS: dict[str, Text] = {
    "Logged In": Text("Logged in", "登录"),
    "Staff Added": Text("Added a member of staff", "添加员工"),
    "Staff Changed": Text("Changed a member of staff", "修改员工"),
    "Password Set": Text("Set a password", "设置密码"),
    "Write Key Added": Text("Added a write key", "添加写入密钥"),
    "Write Key Revoked": Text("Revoked a write key", "吊销写入密钥"),
    "API Key Added": Text("Added an API key", "添加 API 密钥"),
    "API Key Revoked": Text("Revoked an API key", "吊销 API 密钥"),
    "Settings Changed": Text("Changed the settings", "修改设置"),
    "Job Cancelled": Text("Stopped a job", "停止任务"),
}
OBJECTS: dict[str, Text] = {
    "staff": Text("staff", "员工"),
    "write key": Text("write key", "写入密钥"),
    "api key": Text("API key", "API 密钥"),
    "settings": Text("settings", "设置"),
    "job": Text("job", "任务"),
    "customer": Text("customer", "客户"),
    "import": Text("import", "导入"),
}
_PAGES = {"customer": "customers:page", "job": "jobs:page", "import": "imports:page"}
_LISTS = {"staff": "staff:list", "write key": "keys:list", "api key": "keys:list", "settings": "settings:page"}


def link(kind: str, id: str) -> str:
    """Where the object is shown, or "" when it has no page."""
    try:
        if kind in _PAGES and id:
            return reverse(_PAGES[kind], args=[int(id) if id.isdigit() else id])
        return reverse(_LISTS[kind]) if kind in _LISTS else ""
    except NoReverseMatch:
        return ""
