"""Reading the log: timeline, live view."""

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regulars import catalog
from regulars.eventlog import dispatch, queries, services
from regulars.kernel import ids
from tests.eventlog.conftest import NOON, event


def message_ids(rows: list[queries.EventRow]) -> list[str]:
    return [row.message_id for row in rows]


def test_a_timeline_is_the_union_over_the_records_of_a_customer_latest_first(db: None) -> None:
    services.append(
        [
            event("late", record=1, minutes=9), event("other", record=3, minutes=5), event("nobody", record=None),
            event("early", record=2, minutes=1), event("middle", record=2, minutes=5),
        ]
    )  # fmt: skip
    assert message_ids(queries.timeline([1, 2])) == ["late", "middle", "early"]
    assert queries.timeline([]) == []


def test_a_timeline_is_narrowed_to_kinds_of_events(db: None) -> None:
    services.append([event("view"), event("order", "Order Completed"), event("refund", "Order Refunded", minutes=1)])
    assert message_ids(queries.timeline([1], names=catalog.names_of("orders"))) == ["refund", "order"]
    assert queries.timeline([1], names=[]) == []


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=st.lists(st.tuples(st.integers(1, 3), st.integers(0, 3)), max_size=12), size=st.integers(1, 4))
def test_pages_of_a_timeline_join_to_the_whole(db: None, events: list[tuple[int, int]], size: int) -> None:
    """Also where many events have the same time."""
    run = ids.new_id()
    base = int(run[:12], 16) * 10  # records of this example alone
    services.append(
        [event(f"{run}-{n}", record=base + record, minutes=minutes) for n, (record, minutes) in enumerate(events)]
    )
    whole = queries.timeline([base + 1, base + 2], limit=100)
    expected = sorted(((minutes, n) for n, (record, minutes) in enumerate(events) if record in (1, 2)), reverse=True)
    assert [row.message_id for row in whole] == [f"{run}-{n}" for _, n in expected]
    joined: list[queries.EventRow] = []
    while True:
        before = (joined[-1].at, joined[-1].id) if joined else None
        page = queries.timeline([base + 1, base + 2], before=before, limit=size)
        joined += page
        if len(page) < size:
            break
    assert joined == whole


def test_the_newest_events_for_the_live_view(db: None) -> None:
    services.append([event("a"), event("b", "Order Completed"), event("c", source="service"), event("d")])
    rows = queries.recent(limit=3)
    assert message_ids(rows) == ["d", "c", "b"]
    assert message_ids(queries.recent(before_id=rows[-1].id)) == ["a"]
    assert message_ids(queries.recent(after_id=rows[1].id)) == ["d"]
    assert message_ids(queries.recent(name="Order Completed")) == ["b"]
    assert message_ids(queries.recent(source="track:")) == ["d", "b", "a"]
    assert message_ids(queries.recent(source="service")) == ["c"]


def test_events_after_a_position_come_in_order_and_bounded(db: None) -> None:
    services.append([event(f"m{n}", "Order Completed" if n % 2 else "Product Viewed") for n in range(6)])
    while dispatch.number():
        pass
    assert message_ids(queries.after(2, 3)) == ["m2", "m3", "m4"]
    assert message_ids(queries.after(0, 4, names={"Order Completed"})) == ["m1", "m3"]
    assert message_ids(queries.at_positions([6, 1])) == ["m0", "m5"]
    assert queries.last_position() == 6


def test_times_on_the_second_and_between_order_rightly(db: None) -> None:
    at = NOON + timedelta(seconds=1)
    services.append([event("half", at=at + timedelta(microseconds=500_000)), event("whole", at=at)])
    first = queries.timeline([1], limit=1)
    assert message_ids(first) == ["half"]
    assert message_ids(queries.timeline([1], before=(first[0].at, first[0].id))) == ["whole"]
