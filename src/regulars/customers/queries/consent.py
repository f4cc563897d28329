"""What customers agreed to, and how it came."""

from collections import defaultdict
from collections.abc import Collection

from regulars.customers import consents as agreements
from regulars.customers.models import Consent
from regulars.customers.queries.record import root_of


def _entry(row: Consent) -> agreements.Entry:
    return agreements.Entry(
        row.pk, row.channel, row.purpose, row.given, row.at, row.by, row.source, row.undone_at is not None
    )


def consent_history(customer_id: int) -> list[agreements.Entry]:
    """Every entry of all the customer's records, the latest first; those taken back too."""
    rows = Consent.objects.filter(customer__root_id=root_of(customer_id)).order_by("-at", "-id")
    return [_entry(row) for row in rows]


def consent_states(customer_id: int) -> dict[tuple[str, str], agreements.Entry]:
    """(channel, purpose) → the entry that counts; where there is none, nothing is known."""
    return agreements.states(consent_history(customer_id))


def consents_of(customer_ids: Collection[int]) -> dict[int, list[agreements.Entry]]:
    """Root → its entries, for many roots at once."""
    found: dict[int, list[agreements.Entry]] = defaultdict(list)
    for row in Consent.objects.filter(customer__root_id__in=customer_ids).select_related("customer").order_by("id"):
        found[row.customer.root_id].append(_entry(row))
    return found
