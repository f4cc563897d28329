"""Everything that is kept about a person, for that person (PIPL art. 45, GDPR art. 15 and 20)."""

import json
import zipfile
from datetime import date
from io import BytesIO
from typing import Any

from django.db import transaction

from regulars.accounts.actors import Actor
from regulars.accounts.services import audit
from regulars.customers import queries
from regulars.customers.consents import CHANNELS, PURPOSES
from regulars.customers.identities import KINDS
from regulars.customers.profiles import FIELDS
from regulars.eventlog.queries import timeline
from regulars.kernel import clock
from regulars.kernel.languages import current

_README = """客户信息导出 · Your data
导出时间 · Exported at: {at}

profile.json  资料、标识、同意记录、标签与备注 · profile, identities, consent, tags and notes
events.json   所有行为记录，按时间倒序 · everything that was recorded, the latest first

这些文件可用任何文本编辑器打开。 · The files open in any text editor.
"""
_PAGE = 2000


@transaction.atomic
def export_person(*, customer_id: int, by: Actor) -> bytes:
    """A zip of readable JSON: the profile and the events still kept, with a note that says what is what."""
    by.require("customers.export")
    customer = queries.get(customer_id)
    members = queries.members(customer.id)
    language = current()
    person: dict[str, Any] = {
        "customer": customer.id,
        "since": customer.created_at.isoformat(),
        "profile": {
            str(FIELDS[name]): value.isoformat() if isinstance(value, date) else value
            for name, value in customer.fields.items()
        },
        "attributes": customer.custom,
        "identities": [
            {"kind": str(KINDS[row.kind]), "value": row.value, "since": row.first_seen.isoformat()}
            for row in queries.identities(customer.id)
        ],
        "consent": [
            {
                "channel": str(CHANNELS[row.channel]), "purpose": str(PURPOSES[row.purpose]), "given": row.given,
                "at": row.at.isoformat(), "source": row.source, "undone": row.undone,
            }
            for row in queries.consent_history(customer.id)
        ],
        "tags": [row.name for row in queries.tags(customer.id)],
        "notes": [{"text": row.text, "at": row.at.isoformat()} for row in queries.notes(customer.id)],
    }  # fmt: skip
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("README.txt", _README.format(at=clock.now().isoformat(timespec="seconds")))
        bundle.writestr("profile.json", json.dumps(person, ensure_ascii=False, indent=2))
        with bundle.open("events.json", "w") as file:
            file.write(b"[\n")
            before, first = None, True
            while rows := timeline(members, before=before, limit=_PAGE):
                for row in rows:
                    line = {
                        "event": row.name, "at": row.at.isoformat(), "received": row.received_at.isoformat(),
                        "properties": row.properties, "context": row.context,
                    }  # fmt: skip
                    file.write(b"" if first else b",\n")
                    file.write(json.dumps(line, ensure_ascii=False).encode())
                    first = False
                before = (rows[-1].at, rows[-1].id)
            file.write(b"\n]\n")
    audit(
        by=by, action="Person Exported", object_kind="customer", object_id=customer.id, details={"language": language}
    )
    return out.getvalue()
