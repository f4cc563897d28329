"""Who does something: a member of staff, an API key, or the system itself."""

from dataclasses import dataclass
from typing import Literal

from regulars.accounts.capabilities import CAPABILITIES, OF_ROLE
from regulars.kernel.errors import Forbidden
from regulars.kernel.languages import Text

_ROLE_MAY_NOT = Text(
    "Your role doesn't allow this: {what}. Ask an admin.", "您的角色没有此权限：{what}。请联系管理员。"
)
_KEY_MAY_NOT = Text(
    "This key lacks the scope {scope} ({what}). An admin makes one that has it.",
    "此密钥缺少权限范围 {scope}（{what}），请由管理员创建具备该范围的密钥。",
)


@dataclass(frozen=True, slots=True)
class Actor:
    """`ref` ("staff:7", "key:3", "system") is what the log keeps; never a name or an address."""

    kind: Literal["staff", "key", "system"]
    id: int | None
    name: str
    capabilities: frozenset[str]
    role: str = ""

    @property
    def ref(self) -> str:
        return self.kind if self.id is None else f"{self.kind}:{self.id}"

    def may(self, capability: str) -> bool:
        return capability in self.capabilities

    def require(self, capability: str) -> None:
        """Raise Forbidden unless the actor has the capability."""
        if capability not in CAPABILITIES:
            raise LookupError(capability)
        if capability not in self.capabilities:
            text = _KEY_MAY_NOT if self.kind == "key" else _ROLE_MAY_NOT
            raise Forbidden("forbidden", text.filled(what=CAPABILITIES[capability], scope=capability))

    @classmethod
    def of_staff(cls, id: int, name: str, role: str) -> "Actor":
        return cls("staff", id, name, OF_ROLE.get(role, frozenset()), role)

    @classmethod
    def of_key(cls, id: int, name: str, capabilities: frozenset[str]) -> "Actor":
        return cls("key", id, name, capabilities)


SYSTEM = Actor("system", None, "Regulars", frozenset(CAPABILITIES))
