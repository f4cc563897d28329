"""Who did what, when, to what."""

from django.http import HttpResponse
from django.shortcuts import render

from regulars.accounts.queries import audit, names_of, staff
from regulars.console.audit.words import ACTIONS, DEEDS, OBJECTS, link, said
from regulars.console.requests import ConsoleRequest, number, page

SIZE = 50


@page(capability="audit.view")
def trail(request: ConsoleRequest) -> HttpResponse:
    given = {name: request.GET.get(name, "") for name in ("actor", "action", "object_kind", "object_id")}
    entries = audit(before=number(request.GET.get("after")), limit=SIZE + 1, **given)
    people = {f"staff:{entry.object_id}" for entry in entries if entry.object_kind == "staff"}
    names = names_of({entry.actor for entry in entries} | people)
    rows = [
        {
            "entry": entry,
            "who": names.get(entry.actor, entry.actor),
            "action": said(entry.action),
            "object": OBJECTS.get(entry.object_kind, entry.object_kind),
            "name": names.get(f"staff:{entry.object_id}", "") if entry.object_kind == "staff" else entry.object_id,
            "link": link(entry.action, entry.object_kind, entry.object_id, request.actor),
        }
        for entry in entries[:SIZE]
    ]
    context = {
        "rows": rows,
        "given": given,
        "chosen": OBJECTS.get(given["object_kind"], given["object_kind"]),
        "following": entries[SIZE - 1].pk if len(entries) > SIZE else None,
        "people": [(f"staff:{person.pk}", person.name) for person in staff()],
        "actions": sorted(((one, said(one)) for one in (*DEEDS, *ACTIONS)), key=lambda pair: str(pair[1])),
        "narrowed": any(given.values()),
    }
    return render(request, "console/audit/list.html", context)
