"""What a person can agree to: the channels, and what for. How entries add up to a state. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from regulars.kernel.errors import Invalid
from regulars.kernel.languages import Text

CHANNELS: dict[str, Text] = {
    "sms": Text("SMS", "短信"),
    "email": Text("E-mail", "邮件"),
    "wechat": Text("WeChat", "微信"),
    "phone": Text("Phone call", "电话"),
    "push": Text("Push", "App 推送"),
}
PURPOSES: dict[str, Text] = {
    "marketing": Text("Marketing", "营销"),
    "service": Text("Service", "服务"),
    "survey": Text("Surveys", "调研"),
}
State = Literal["given", "withdrawn", "unknown"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the history. `source` says where it was given (a form, a store), `by` is an Actor's ref."""

    id: int
    channel: str
    purpose: str
    given: bool
    at: datetime
    by: str
    source: str
    undone: bool


def checked(channel: str, purpose: str) -> None:
    """Raise Invalid unless both exist."""
    if channel not in CHANNELS:
        text = Text("Choose a channel: {all}.", "请选择渠道：{all}。").filled(all=", ".join(CHANNELS))
        raise Invalid("channel", text, field="channel")
    if purpose not in PURPOSES:
        text = Text("Choose a purpose: {all}.", "请选择用途：{all}。").filled(all=", ".join(PURPOSES))
        raise Invalid("purpose", text, field="purpose")


def states(entries: Iterable[Entry]) -> dict[tuple[str, str], Entry]:
    """(channel, purpose) → the entry that counts: the latest that isn't undone; at the same moment a withdrawal, then
    the later entry. Where there is none the state is unknown.
    """
    counting: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        if entry.undone:
            continue
        key = entry.channel, entry.purpose
        present = counting.get(key)
        if present is None or (entry.at, not entry.given, entry.id) > (present.at, not present.given, present.id):
            counting[key] = entry
    return counting
