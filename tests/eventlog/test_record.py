"""Recording what services do."""

from typing import Any

import pytest
from django.db import transaction

from regulars.accounts.actors import SYSTEM, Actor
from regulars.accounts.queries import audit
from regulars.eventlog import queries, services
from regulars.eventlog.models import Event
from regulars.kernel import clock
from regulars.kernel.errors import Invalid
from tests.eventlog.conftest import NOON


def test_what_a_person_does_is_an_event_and_an_entry_of_the_audit_trail(actors: dict[str, Actor]) -> None:
    with clock.frozen(NOON):
        row = services.record("Tag Added", customer_id=7, properties={"tag": "vip"}, by=actors["agent"])
    assert (row.name, row.record_id, row.properties, row.at, row.received_at, row.source) == (
        "Tag Added", 7, {"tag": "vip"}, NOON, NOON, "service",
    )  # fmt: skip
    assert row.actor == actors["agent"].ref
    entry = audit(limit=1)[0]
    assert (entry.action, entry.actor, entry.object_kind, entry.object_id, entry.details) == (
        "Tag Added", actors["agent"].ref, "customer", "7", {"tag": "vip"},
    )  # fmt: skip


def test_what_the_system_does_is_an_event_alone(db: None) -> None:
    services.record("Tag Added", customer_id=7, properties={"tag": "vip"}, by=SYSTEM)
    assert audit() == []


def test_recording_the_same_message_id_again_changes_nothing(actors: dict[str, Actor]) -> None:
    first = services.record("Tag Added", customer_id=7, properties={"tag": "a"}, by=actors["agent"], message_id="m")
    entries = len(audit())
    again = services.record("Tag Added", customer_id=7, properties={"tag": "b"}, by=actors["agent"], message_id="m")
    assert again == first
    assert len(audit()) == entries


def test_the_event_goes_with_the_transaction_of_the_change(transactional_db: None) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        services.record("Tag Added", customer_id=7, properties={"tag": "vip"}, by=SYSTEM)
        raise ZeroDivisionError
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("name", "properties", "error"),
    [
        ("Customer Melted", {}, LookupError),
        ("Tag Added", {}, Invalid),
        ("Tag Added", {"tag": "vip", "name": "Li"}, Invalid),
    ],
)
def test_what_the_catalogue_does_not_declare_is_not_recorded(
    db: None, name: str, properties: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        services.record(name, properties=properties, by=SYSTEM)
    assert not Event.objects.exists()


def test_events_composed_in_bulk_are_checked_and_appended_together(db: None) -> None:
    batch = [
        services.compose("Customer Identified", customer_id=n, properties={"kinds": ["phone"]}, by=SYSTEM)
        for n in range(3)
    ]
    assert services.append(batch) == [True, True, True]
    assert [row.record_id for row in queries.recent()] == [2, 1, 0]
