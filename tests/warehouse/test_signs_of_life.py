"""Only what customers do is a sign of life; what anybody notes about them leaves "last seen" and the warning alone."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from regulars.accounts.actors import SYSTEM
from regulars.catalog import CATALOG
from regulars.customers import memory, services
from regulars.eventlog import dispatch
from regulars.kernel import clock
from regulars.warehouse import engine, feed, queries, refresh
from regulars.warehouse.queries.customers import Scores
from tests.warehouse.conftest import ONE_FILE

Happened = Callable[..., None]
NOW = datetime(2026, 7, 1, 4, tzinfo=UTC)


def taken() -> None:
    dispatch.number()
    feed.catch_up()


def scores() -> Sequence[Scores]:
    return queries.customers.page(queries.snapshot(), sort="customer_id", descending=False, limit=200).rows


def live_and_full() -> list[Scores]:
    """What judging who changed gives, and judging everybody then gives too."""
    taken()
    refresh.live()
    lively = scores()
    refresh.full()
    assert scores() == lively
    return list(lively)


def test_what_staff_and_programs_note_about_a_silent_customer_ends_no_silence(
    happened: Happened, actors: dict[str, Any]
) -> None:
    memory.forget()
    by = actors["agent"]
    with clock.frozen(NOW):
        # A living business: another customer is here today.
        who, other = (
            services.resolve([services.Claim((("phone", phone),), {}, NOW - timedelta(days=400))])[0]
            for phone in ("13800138000", "13900139000")
        )
        assert who is not None
        happened("Order Completed", who, f"{NOW - timedelta(days=91):%Y-%m-%d %H:%M}", order_id="B", total=100)
        happened("Order Completed", who, f"{NOW - timedelta(days=200):%Y-%m-%d %H:%M}", order_id="A", total=1000)
        happened("Page Viewed", other, f"{NOW:%Y-%m-%d %H:%M}")
        taken()
        refresh.full()

        def silent() -> tuple[int | None, bool, int]:
            (row,) = [row for row in live_and_full() if row.customer_id == who]
            return row.silent_days, row.warn_silent, queries.risk.totals(queries.snapshot()).customers

        assert silent() == (91, True, 1)
        entry = services.give_consent(customer_id=who, channel="sms", purpose="marketing", by=by)
        assert entry is not None
        services.withdraw_consent(customer_id=who, channel="email", purpose="marketing", by=by)
        identity = services.add_identity(customer_id=who, kind="email", value="li@example.com", by=by)
        assert identity is not None
        services.update_profile(customer_id=who, fields={"city": "杭州"}, by=by)
        services.tag(customer_ids=[who], name="vip", by=by)
        assert silent() == (91, True, 1)
        services.undo_consent(entry_id=entry, by=by)
        services.remove_identity(identity_id=identity, customer_id=who, by=by)
        services.untag(customer_ids=[who], name="vip", by=by)
        (outcome,) = services.import_customers(
            [services.CustomerRow((("phone", "13800138000"),), {}, ("旧客",), (("phone", "service", True),), at=NOW)],
            by=SYSTEM,
        )
        assert outcome.customer_id == who
        happened("Traits Updated", who, "2026-06-30 02:00", via="track:1", traits=["city"])  # a nightly synchronisation
        assert silent() == (91, True, 1)
        happened("Survey Answered", who, "2026-06-30 02:00", kind="nps", score=9)  # rung up at the counter
        assert silent() == (1, False, 0)


def test_every_event_of_the_catalogue_moves_last_seen_only_if_the_customer_did_it(happened: Happened) -> None:
    names = [*CATALOG, "Sauna Booked"]  # what nobody catalogued comes from customers too
    with clock.frozen(NOW):
        for who in range(1, len(names) + 1):
            happened("Page Viewed", who, "2026-05-01 02:00")
            happened("Customer Identified", who, "2026-05-01 02:00", kinds=["email"])
        taken()
        refresh.full()
        for who, name in enumerate(names, 1):
            about = {"source": who, "target": 900 + who, "root": who} if name.startswith("Customers ") else {}
            happened(name, who, "2026-06-30 02:00", properties=about)
        live_and_full()
        found = dict(engine.read("SELECT customer_id, silent_days FROM scores"))
    merged = names.index("Customers Merged") + 1
    found[merged] = found[900 + merged]
    assert {who: days for who, days in found.items() if who < 900} == {
        who: 1 if name not in CATALOG or CATALOG[name].by_customer else 61 for who, name in enumerate(names, 1)
    }


@ONE_FILE
def test_a_warehouse_judged_by_an_older_rule_is_judged_anew(happened: Happened) -> None:
    from regulars.warehouse import schema

    with clock.frozen(NOW):
        happened("Page Viewed", 1, f"{NOW:%Y-%m-%d %H:%M}")
        taken()
        refresh.full()
        assert refresh.due() == ""
        with engine.writing() as pen:
            engine.keep(pen, {"schema": len(schema.STEPS) - 1})
        engine.close()
        later = NOW + timedelta(minutes=1)
    with clock.frozen(later):
        assert refresh.due() == "stale"
