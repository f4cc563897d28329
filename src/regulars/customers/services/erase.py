"""Erasing a person (PIPL art. 47, GDPR art. 17): what names them goes, the figures stay."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from regulars.accounts.actors import Actor
from regulars.accounts.queries import business
from regulars.customers import display, erased
from regulars.customers.bulk import alone
from regulars.customers.identities import usable
from regulars.customers.models import Consent, Customer, Identity, Merge, Note, ProfileChange, Removed, Tagging
from regulars.customers.queries import live_root
from regulars.customers.scrubbing import names_somebody, scrubbed, sent_by
from regulars.customers.services.resolve import Claim, begin_generation
from regulars.eventlog import quarantine
from regulars.eventlog.services import record, rewrite
from regulars.kernel import clock


@dataclass(frozen=True, slots=True)
class Person:
    """Who is erased: their records, and by what a text would name them."""

    records: frozenset[int]
    secrets: frozenset[str]

    def named_in(self, text: str) -> bool:
        """Whether the text, or a cell of a table, names them."""
        return names_somebody(text, self.secrets)


def person(*, customer_id: int, by: Actor) -> Person:
    """For who has to erase them elsewhere. Raises NotFound, and Conflict when they are erased already."""
    by.require("customers.erase")
    root = live_root(customer_id)
    members = list(Customer.objects.filter(root_id=root.pk).values_list("id", flat=True))
    return Person(frozenset(members), frozenset(_identities(members) | _names(members)))


@transaction.atomic
def erase(*, customer_id: int, by: Actor) -> int:
    """Erase a person for good: identities, profile, notes, tags and every free text, in all records and past events.
    The number of records erased. Files are the caller's business (wiring.erasures).

    The records stay under their numbers, pseudonymous, so that orders and figures stay. What comes late of the time
    before stays with them, nameless; what the person does later makes a new customer.
    """
    by.require("customers.erase")
    alone()
    root = live_root(customer_id)
    members = list(Customer.objects.filter(root_id=root.pk).values_list("id", flat=True))
    known = _identities(members)
    secrets = known | _names(members)
    now = clock.now()
    erased.remember(members, now)
    identities = Identity.objects.filter(customer__in=members)
    identities.delete()
    Identity.objects.filter(apart__in=members).update(apart=None)
    Customer.objects.filter(id__in=members).update(
        facts={}, name="", name_key="", name_rest="", birthday=None, gender="", city="", language="", home_store=None,
        custom={}, erased_at=now, identified_at=None, known=False,
    )  # fmt: skip
    Merge.objects.filter(source__in=members).update(fields={}, grounds={})
    ProfileChange.objects.filter(customer__in=members).delete()
    Note.objects.filter(customer__in=members).update(text="", deleted_at=now)
    Tagging.objects.filter(customer__in=members).delete()
    Removed.objects.filter(customer__in=members).delete()
    Consent.objects.filter(customer__in=members).update(source="")
    begin_generation(erased_at=now)
    display.refresh([root.pk])

    def clean(properties: dict[str, Any]) -> dict[str, Any]:
        kept: dict[str, Any] = scrubbed(properties, secrets)
        return kept

    rewrite(record_ids=members, properties=clean)
    quarantine.erase(of_person=lambda payload: sent_by(payload, known))
    record("Customer Erased", customer_id=root.pk, properties={"records": len(members)}, by=by, at=now)
    return len(members)


def anonymous(properties: dict[str, Any], claim: Claim) -> dict[str, Any]:
    """What may be kept of an event that came after who did it was erased."""
    region = business().region
    given = [(kind, value) for kind, raw in claim.identities if (value := usable(kind, raw, region=region)) is not None]
    names = {str(claim.traits[name]).lower() for name in ("name", "email", "phone") if claim.traits.get(name)}
    kept: dict[str, Any] = scrubbed(properties, _spellings(given) | names)
    return kept


def _identities(members: list[int]) -> set[str]:
    removed = Removed.objects.filter(customer__in=members, what="identity").values_list("kept", flat=True)
    present = Identity.objects.filter(customer__in=members).values_list("kind", "value")
    return _spellings([*present, *((kept["kind"], kept["value"]) for kept in removed)])


def _spellings(identities: Iterable[tuple[str, str]]) -> set[str]:
    """Identities in small letters, a phone also as people write it."""
    found: set[str] = set()
    for kind, value in identities:
        found.add(value.lower())
        if kind == "phone" and value.startswith("+86"):
            found.add(value.removeprefix("+86"))
    return found


def _names(members: list[int]) -> set[str]:
    found = Customer.objects.filter(id__in=members).values_list("facts", flat=True)
    return {str(facts.get("name", ["", 0])[0] or "").lower() for facts in found} - {""}
