"""The parts of a customer's page that grow: identities, changes of the profile, notes, consent. Each begins on the page
and goes on by key (`more`).
"""

from datetime import date
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render

from regulars.accounts.queries import names_of
from regulars.console import formatting
from regulars.console.requests import ConsoleRequest, number, page
from regulars.customers import consents, queries, services
from regulars.customers.identities import KINDS
from regulars.customers.profiles import FIELDS, GENDERS
from regulars.kernel.languages import Text

NOTES, CHANGES, CONSENTS, IDENTITIES = 20, 20, 50, 12
NOTE_LENGTH, NOTE_LINES = 280, 6
_EVERY_IDENTITY = 200  # at a time, once somebody asks for all
_SOURCES = {"console": Text("in the console", "控制台登记"), "import": Text("imported", "文件导入")}


def identities(id: int, after: int | None = None) -> dict[str, Any]:
    size = _EVERY_IDENTITY if after else IDENTITIES
    rows = queries.identities(id, after=after, limit=size + 1)
    context = {
        "identities": [(row, KINDS[row.kind]) for row in rows[:size]],
        "identities_after": rows[size - 1].id if len(rows) > size else None,
    }
    if after:
        return context
    gone = queries.removed_identities(id)
    names = names_of({row.by for row in gone})
    return context | {"removed_identities": [(row, KINDS[row.kind], names.get(row.by, row.by)) for row in gone]}


def changes(id: int, after: int | None = None) -> dict[str, Any]:
    rows = queries.profile_changes(id, before=after, limit=CHANGES + 1)
    names = names_of({row.by for row in rows})
    stores = dict(queries.stores())
    return {
        "changes": [
            (
                row,
                [
                    (FIELDS.get(name, name), _said(name, before, stores), _said(name, now, stores))
                    for name, (before, now) in row.fields.items()
                ],
                names.get(row.by, row.by),
            )
            for row in rows[:CHANGES]
        ],
        "changes_after": rows[CHANGES - 1].id if len(rows) > CHANGES else None,
    }


_CONTESTED = Text("{who} made this “{value}” meanwhile ({at}).", "{who} 已将此项改为“{value}”（{at}）。")
_CLEARED = Text("{who} cleared this meanwhile ({at}).", "{who} 已清空此项（{at}）。")
_SOMEBODY = Text("Somebody", "其他人")


def contested(found: services.Contested, stores: dict[str, str]) -> dict[str, str]:
    """Field → what somebody else made of it meanwhile, who and when."""
    names = names_of({one.by for one in found.fields.values() if one.by})
    return {
        name: str(
            (_CLEARED if one.value is None else _CONTESTED).filled(
                who=names.get(one.by, one.by) or _SOMEBODY,
                value=_said(name, one.value, stores),
                at=formatting.moment(one.at) if one.at else formatting.NOTHING,
            )
        )
        for name, one in found.fields.items()
    }


def _said(name: str, value: Any, stores: dict[str, str]) -> object:
    if value is None or value == "":
        return "—"
    if name == "gender":
        return GENDERS.get(value, value)
    if name == "home_store":
        return stores.get(value, value)
    if name == "language":
        return formatting.language(str(value))
    return formatting.day(date.fromisoformat(value)) if name == "birthday" else value


def notes(id: int, after: int | None = None) -> dict[str, Any]:
    rows = queries.notes(id, before=after, limit=NOTES + 1)
    gone = [] if after else queries.removed_notes(id)
    names = names_of({row.by for row in [*rows, *gone]})
    return {
        "notes": [(row, names.get(row.by, row.by), _beginning(row.text)) for row in rows[:NOTES]],
        "notes_after": rows[NOTES - 1].id if len(rows) > NOTES else None,
        "removed_notes": [(row, names.get(row.by, row.by), _beginning(row.text)) for row in gone],
    }


def _beginning(note: str) -> str:
    """What stands there of a long note until it is unfolded; "" of one that is short enough."""
    lines = note.splitlines()
    head = "\n".join(lines[:NOTE_LINES])[:NOTE_LENGTH]
    return head if len(head) < len(note) - 40 or len(lines) > NOTE_LINES else ""


def consent(id: int, after: int | None = None) -> dict[str, Any]:
    history = queries.consent_history(id)
    states = consents.states(history)
    start = next((place for place, entry in enumerate(history, 1) if entry.id == after), 0)
    shown = history[start : start + CONSENTS]
    names = names_of({entry.by for entry in shown})
    return {
        "purposes": consents.PURPOSES.items(),
        "consents": [
            (
                channel,
                text,
                [(purpose, said, states.get((channel, purpose))) for purpose, said in consents.PURPOSES.items()],
            )
            for channel, text in consents.CHANNELS.items()
        ],
        "history": [
            (
                entry,
                consents.CHANNELS[entry.channel],
                consents.PURPOSES[entry.purpose],
                " · ".join(
                    str(said)
                    for said in (names.get(entry.by, entry.by), _SOURCES.get(entry.source, entry.source))
                    if said
                ),
            )
            for entry in shown
        ],
        "history_after": shown[-1].id if len(history) > start + CONSENTS else None,
    }


_PARTS = {"identities": identities, "changes": changes, "notes": notes, "consent": consent}


@page(capability="customers.view")
def more(request: ConsoleRequest, id: int, part: str) -> HttpResponse:
    """What follows in a part of the page."""
    if part not in _PARTS:
        raise Http404
    profile = queries.get(id)
    context = _PARTS[part](profile.id, number(request.GET.get("after")))
    context |= {"customer_id": profile.id, "erased": profile.erased_at}
    return render(request, f"console/customers/_{part}.html#more", context)
