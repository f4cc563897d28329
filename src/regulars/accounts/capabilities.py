"""What each role may do. Services ask by capability, never by role."""

from regulars.kernel.languages import Text

ROLES: dict[str, Text] = {
    "admin": Text("Admin", "管理员"),
    "manager": Text("Manager", "经理"),
    "marketer": Text("Marketer", "营销"),
    "agent": Text("Service agent", "客服"),
    "store": Text("Store staff", "门店员工"),
    "analyst": Text("Analyst", "分析师"),
}

CAPABILITIES: dict[str, Text] = {
    "customers.view": Text("See customers", "查看客户"),
    "customers.edit": Text("Change a customer's profile", "修改客户资料"),
    "customers.merge": Text("Merge customers and undo it", "合并客户与撤销合并"),
    "customers.erase": Text("Erase a person", "删除个人信息"),
    "customers.export": Text("Export customers", "导出客户"),
    "consent.edit": Text("Record consent", "登记同意与撤回"),
    "notes.edit": Text("Write notes", "写备注"),
    "tags.edit": Text("Tag customers", "给客户打标签"),
    "insights.view": Text("See insights and figures", "查看洞察与数字"),
    "imports.run": Text("Import files", "导入文件"),
    "quarantine.repair": Text("Repair and replay events", "修复与重放事件"),
    "events.view": Text("See live events", "查看实时事件"),
    "events.write": Text("Send events and orders", "发送事件与订单"),
    "settings.edit": Text("Change the settings", "修改设置"),
    "staff.edit": Text("Manage staff and roles", "管理员工与角色"),
    "keys.edit": Text("Manage keys", "管理密钥"),
    "audit.view": Text("Read the audit trail", "查看审计记录"),
    "jobs.view": Text("See everybody's jobs", "查看所有任务"),
    "webhooks.edit": Text("Manage webhooks", "管理 Webhook"),
}

KEYS_PLACE = Text("Data → Keys and API", "数据 → 密钥与 API")
"""Where in the console keys are (`keys.edit`), for whoever is told to fetch one."""

_MARKETER = {
    "customers.view", "customers.edit", "customers.export", "consent.edit", "notes.edit", "tags.edit",
    "insights.view", "imports.run", "events.view",
}  # fmt: skip

OF_ROLE: dict[str, frozenset[str]] = {
    "admin": frozenset(CAPABILITIES),
    "manager": frozenset(
        _MARKETER | {"customers.merge", "customers.erase", "audit.view", "jobs.view", "quarantine.repair"}
    ),
    "marketer": frozenset(_MARKETER),
    "agent": frozenset(
        {"customers.view", "customers.edit", "customers.merge", "consent.edit", "notes.edit", "tags.edit"}
    ),
    "store": frozenset({"customers.view", "notes.edit", "tags.edit", "consent.edit"}),
    "analyst": frozenset({"customers.view", "insights.view", "events.view"}),
}
