"""What the entries of the audit trail say to people, in both languages."""

from django.urls import NoReverseMatch, reverse

from regulars import catalog
from regulars.accounts.actors import Actor
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
    "Refresh Started": Text("Computed all figures anew", "重新计算全部数字"),
    "Job Cancelled": Text("Stopped a job", "停止任务"),
    "Customers Exported": Text("Exported customers", "导出客户"),
    "Person Exported": Text("Exported a person", "导出个人数据"),
    "Files Cleared": Text("Took an erased person out of files", "从文件中移除已删除的个人信息"),
    "Identity Shown": Text("Looked at an identity in full", "查看完整标识"),
    "Identity Is Shared": Text("Said that an identity is shared", "确认标识为多人共用"),
    "Identity Is One Person's": Text("Said that an identity is one person's", "确认标识属于一位客户"),
    "Identity Asked About Again": Text("Took back what an identity is", "撤回对标识的判断"),
    "Note Added": Text("Wrote a note", "写备注"),
    "Note Deleted": Text("Removed a note", "删除备注"),
    "Note Restored": Text("Put a note back", "恢复备注"),
    "Store Saved": Text("Saved a store", "保存门店"),
    "File Uploaded": Text("Uploaded a file", "上传文件"),
    "Import Started": Text("Started an import", "开始导入"),
    "Import Cancelled": Text("Stopped an import", "停止导入"),
    "Mapping Saved": Text("Saved a mapping", "保存字段映射"),
    "Mapping Deleted": Text("Deleted a mapping", "删除字段映射"),
    "Events Replayed": Text("Replayed events", "重放事件"),
    "Parked Events Retried": Text("Retried parked events", "重试搁置的事件"),
    "Parked Events Discarded": Text("Discarded parked events", "丢弃搁置的事件"),
    "Quarantine Repaired": Text("Repaired events in quarantine", "修复隔离事件"),
    "Quarantine Replayed": Text("Replayed events in quarantine", "重放隔离事件"),
    "Quarantine Discarded": Text("Discarded events in quarantine", "丢弃隔离事件"),
    "Quarantine Restored": Text("Put events back into quarantine", "恢复隔离事件"),
    "Webhook Added": Text("Added a webhook", "添加 Webhook"),
    "Webhook Changed": Text("Changed a webhook", "修改 Webhook"),
    "Webhook Removed": Text("Removed a webhook", "移除 Webhook"),
    "Webhook Resent": Text("Sent a webhook again", "重新发送 Webhook"),
    "Webhook Secret Renewed": Text("Renewed a webhook's secret", "更换 Webhook 密钥"),
}
DEEDS = (
    "Customers Merged", "Customers Unmerged", "Customer Erased", "Profile Updated", "Identity Added",
    "Identity Removed", "Consent Given", "Consent Withdrawn", "Consent Undone", "Tag Added", "Tag Removed",
)  # fmt: skip
"""What is done to a customer and is an event too."""
OBJECTS: dict[str, Text] = {
    "staff": Text("staff", "员工"),
    "write key": Text("write key", "写入密钥"),
    "api key": Text("API key", "API 密钥"),
    "settings": Text("settings", "设置"),
    "job": Text("job", "任务"),
    "customer": Text("customer", "客户"),
    "import": Text("import", "导入"),
    "identity": Text("identity", "标识"),
    "store": Text("store", "门店"),
    "webhook": Text("webhook", "Webhook"),
}


def said(action: str) -> Text:
    """An action in words; deeds that are events are called as on the timeline."""
    return ACTIONS.get(action) or catalog.title(action)


_PAGES = {"customer": "customers:page", "job": "jobs:page", "import": "imports:page", "webhook": "webhooks:page"}
_LISTS = {"staff": "staff:list", "write key": "keys:list", "api key": "keys:list", "settings": "settings:page"}
_FOR = {"staff": "staff.edit", "write key": "keys.edit", "api key": "keys.edit", "settings": "settings.edit",
        "webhook": "webhooks.edit", "import": "imports.run"}  # fmt: skip


def link(action: str, kind: str, id: str, reader: Actor) -> str:
    """Where the object is shown, or what was done to it, or "" when it has no page or none that this reader may see."""
    if action == "Files Cleared" and id.isdigit():
        return reverse("customers:erasure", args=[int(id)])
    if kind in _FOR and not reader.may(_FOR[kind]):
        return ""
    try:
        if kind in _PAGES and id:
            return reverse(_PAGES[kind], args=[int(id) if id.isdigit() else id])
        return reverse(_LISTS[kind]) if kind in _LISTS else ""
    except NoReverseMatch:
        return ""
