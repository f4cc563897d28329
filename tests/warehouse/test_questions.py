"""Every question of a page, on a world small enough to be reckoned by hand.

Ada (record 1) buys in January, February and March, 30 days apart; Ben (2) once in January and is refunded in part;
Cleo (3) is known and has bought nothing; a passer-by (no record) buys for 5. As of 2026-04-01 in Shanghai.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from regulars.kernel import clock
from regulars.kernel.errors import Invalid
from regulars.warehouse import feed, queries, refresh
from regulars.warehouse.queries.customers import Filters


def day(text: str) -> int:
    return clock.day_number(datetime.fromisoformat(text).date())


JAN, FEB, MAR, APR = (2026 * 12 + n for n in range(4))


@pytest.fixture
def snapshot(happened: Callable[..., None]) -> Iterator[queries.Snapshot]:
    tea = {"product_id": "tea", "name": "Tea", "category": "drinks", "price": 20, "quantity": 2}
    cup = {"product_id": "cup", "name": "Cup", "category": "ware", "price": "9.995", "quantity": 1}
    for record in (1, 2, 3):
        happened("Customer Identified", record, "2026-01-05 02:00", kinds=["email"])
    happened("Order Completed", 1, "2026-01-05 02:00", order_id="A1", store="North", products=[tea], via="track:1")
    happened("Order Completed", 2, "2026-01-06 02:00", order_id="B1", store="South", products=[tea, cup], total=50)
    happened("Order Refunded", 2, "2026-01-08 02:00", order_id="B1", total=10)
    happened("Order Completed", 1, "2026-02-04 02:00", order_id="A2", store="North", products=[tea], via="track:1")
    happened("Order Completed", 1, "2026-03-06 02:00", order_id="A3", store="North", products=[tea, tea], via="track:1")
    happened("Order Completed", None, "2026-03-10 16:30", order_id="X1", store="North", total=5)
    happened("Order Completed", 3, "2026-03-10 02:00", order_id="F1", currency="USD", total=99)
    happened("Survey Answered", 1, "2026-03-11 02:00", kind="nps", score=3)
    happened("Survey Answered", 1, "2026-03-12 02:00", kind="nps", score=10)
    happened("Survey Answered", 2, "2026-03-12 02:00", kind="nps", score=6)
    happened("Survey Answered", 2, "2026-03-12 02:00", kind="csat", score=4)
    happened("Complaint Filed", 2, "2026-03-13 02:00", category="late")
    with clock.frozen(datetime(2026, 4, 1, 1, tzinfo=UTC)):
        feed.catch_up()
        refresh.full()
        yield queries.snapshot()


def test_the_overview_compares_the_last_days_with_as_many_before(snapshot: queries.Snapshot) -> None:
    found = queries.overview.figures(snapshot, days=30)
    assert {key: (figure.now, figure.before) for key, figure in found.items()} == {
        "gross": (8500, 4000),
        "refunds": (0, 0),
        "adjustments": (0, 0),
        "net": (8500, 4000),
        "orders": (3, 1),  # the order in dollars is an order without money of ours
        "buyers": (2, 1),
        "new_buyers": (1, 0),
        "returning_buyers": (1, 1),
        "average_order": (4250, 4000),
    }
    assert found["gross"].change == 1.125 and found["refunds"].change is None
    days = queries.overview.series(snapshot, days=28)
    assert [d.day for d in days] == list(range(day("2026-03-04"), day("2026-04-01")))
    assert [(d.day, d.gross, d.orders, d.buyers, d.new_buyers) for d in days if d.orders] == [
        (day("2026-03-06"), 8000, 1, 1, 0),
        (day("2026-03-10"), 0, 1, 1, 1),
        (day("2026-03-11"), 500, 1, 0, 0),  # half past midnight in Shanghai
    ]


def test_sales_by_time_store_channel_and_category(snapshot: queries.Snapshot) -> None:
    rows = queries.sales.by_period(snapshot, period="month")
    assert [(s.key, s.gross, s.refunds, s.net, s.orders, s.buyers) for s in rows] == [
        (JAN, 9000, 1000, 8000, 2, 2),  # 40 + 40 + 10.00 (9.995 to the even cent), no adjustment to 50
        (FEB, 4000, 0, 4000, 1, 1),
        (MAR, 8500, 0, 8500, 3, 2),
    ]
    weeks = queries.sales.by_period(snapshot, period="week", until=day("2026-01-31"))
    assert [(s.key, s.net) for s in weeks] == [(day("2026-01-05"), 8000)]
    stores = queries.sales.by(snapshot, dimension="store")
    assert [(s.key, s.net, s.orders) for s in stores] == [
        ("North", 16500, 4),
        ("South", 5000, 1),
        ("", -1000, 1),
    ]
    channels = queries.sales.by(snapshot, dimension="channel")
    assert [(s.key, s.net) for s in channels] == [("online", 16000), ("", 4500)]
    categories = queries.sales.by(snapshot, dimension="category", limit=1)
    assert [(s.key, s.gross) for s in categories] == [("drinks", 20000)]
    since = queries.sales.by_period(snapshot, period="day", since=day("2026-02-04"), until=day("2026-03-06"))
    assert [s.key for s in since] == [day("2026-02-04"), day("2026-03-06")]


def test_new_and_returning_buyers_by_month(snapshot: queries.Snapshot) -> None:
    rows = queries.sales.new_and_returning(snapshot)
    assert [(b.key, b.new, b.returning, b.net_new, b.net_returning) for b in rows] == [
        (JAN, 2, 0, 8000, 0),
        (FEB, 0, 1, 0, 4000),
        (MAR, 1, 1, 0, 8000),
    ]


def test_cohorts_by_the_month_of_the_first_purchase(snapshot: queries.Snapshot) -> None:
    rows = queries.cohorts.retention(snapshot)
    assert [(c.month, c.size, c.buyers, c.net) for c in rows] == [
        (JAN, 2, (2, 1, 1, 0), (8000, 4000, 8000, 0)),
        (MAR, 1, (1, 0), (0, 0)),
    ]
    assert rows[0].share(1) == 0.5


def test_rfm_cells_and_groups_hold_every_buyer_once(snapshot: queries.Snapshot) -> None:
    cells = queries.rfm.matrix(snapshot)
    assert sum(cell.customers for cell in cells) == 3
    assert sum(cell.net for cell in cells) == 20000
    groups = queries.rfm.groups(snapshot)
    assert [group.key for group in groups] == [
        "champions", "loyal", "potential", "new", "needs_attention", "dormant", "lost",
    ]  # fmt: skip
    assert sum(group.customers for group in groups) == 3
    best = max(cells, key=lambda cell: (cell.f, cell.net))
    page = queries.customers.page(snapshot, filters=Filters(r=best.r, f=best.f))
    assert [row.customer_id for row in page.rows] == [1]


def test_stages_and_how_customers_moved_between_them(snapshot: queries.Snapshot) -> None:
    assert [(s.key, s.customers) for s in queries.lifecycle.stages(snapshot)] == [
        ("potential", 0), ("new", 1), ("active", 1), ("dormant", 1), ("lost", 0),
    ]  # fmt: skip
    flows = queries.lifecycle.flow(snapshot, months=3)
    assert [(f.month, f.source, f.target, f.customers) for f in flows] == [
        (FEB, "new", "active", 1),
        (FEB, "new", "new", 1),
        (FEB, "potential", "potential", 1),
        (MAR, "active", "active", 1),
        (MAR, "new", "dormant", 1),
        (MAR, "potential", "new", 1),
        (APR, "active", "active", 1),
        (APR, "dormant", "dormant", 1),
        (APR, "new", "new", 1),
    ]


def test_who_was_lost_this_month_is_told_by_todays_scores_as_by_the_flow(
    snapshot: queries.Snapshot, happened: Callable[..., None]
) -> None:
    found = []
    for today in ("2026-05-06", "2026-05-07", "2026-06-01", "2026-07-05"):  # Ben lost on 7 May, Ada on 5 July
        happened("Page Viewed", 3, f"{today} 00:30")
        with clock.frozen(datetime.fromisoformat(f"{today}T01:00+00:00")):
            feed.catch_up()
            refresh.full()
            now = queries.snapshot()
            told = queries.lifecycle.newly_lost(now)
            flow = queries.lifecycle.flow(now, months=1)
        assert told == sum(part.customers for part in flow if part.target == "lost" and part.source not in ("lost", ""))
        found.append(told)
    assert found == [0, 1, 0, 1]


def test_customers_are_listed_by_any_score_in_pages(snapshot: queries.Snapshot) -> None:
    first = queries.customers.page(snapshot, sort="net", limit=2)
    assert [(row.customer_id, row.net) for row in first.rows] == [(1, 16000), (2, 4000)]
    second = queries.customers.page(snapshot, sort="net", limit=2, after=first.after)
    assert [(row.customer_id, row.net) for row in second.rows] == [(3, 0)] and second.after is None
    rising = queries.customers.page(snapshot, sort="first_day", descending=False, limit=1)
    assert [row.customer_id for row in rising.rows] == [1]
    by_nothing = queries.customers.page(snapshot, sort="p_alive", limit=2)  # nobody has one: by id
    assert [row.customer_id for row in by_nothing.rows] == [1, 2]
    rest = queries.customers.page(snapshot, sort="p_alive", limit=2, after=by_nothing.after)
    assert [row.customer_id for row in rest.rows] == [3]
    assert queries.customers.ids(snapshot, filters=Filters(ranges={"net": (4000, 16000)}, stores=("South",))) == [2]
    assert queries.customers.count(snapshot, filters=Filters(stages=("active", "dormant"))) == 2
    assert queries.customers.ids(snapshot, filters=Filters(ids=(3, 1))) == [1, 3]
    assert queries.customers.stores_and_channels(snapshot) == {"stores": ["North", "South"], "channels": ["online"]}
    with pytest.raises(Invalid):
        queries.customers.page(snapshot, sort="1; DROP TABLE scores")
    with pytest.raises(Invalid):
        queries.customers.page(snapshot, after="nonsense")


def test_a_customer_with_scores_orders_and_mood(snapshot: queries.Snapshot) -> None:
    ada = queries.customer.scores(snapshot, 1)
    assert ada is not None and (ada.orders, ada.gross, ada.net, ada.gap_days, ada.recency_days) == (
        3,
        16000,
        16000,
        30,
        26,
    )
    assert (ada.store, ada.channel, ada.stage, ada.known) == ("North", "online", "active", True)
    assert queries.customer.scores(snapshot, 99) is None
    first = queries.customer.orders(snapshot, 1, limit=2)
    assert [(order.order_id, order.net, len(order.lines)) for order in first.rows] == [("A3", 8000, 2), ("A2", 4000, 1)]
    second = queries.customer.orders(snapshot, 1, limit=2, after=first.after)
    assert [order.order_id for order in second.rows] == ["A1"] and second.after is None
    [ben] = queries.customer.orders(snapshot, 2).rows
    assert (ben.gross, ben.refunds, ben.net) == (5000, 1000, 4000)
    assert [(line.product_id, line.quantity, line.amount, line.kind) for line in ben.lines] == [
        ("tea", 2000, 4000, "sale"),
        ("cup", 1000, 1000, "sale"),
        ("", 1000, -1000, "refund"),
    ]
    assert queries.customer.mood(snapshot, 1) == queries.customer.Mood(10, day("2026-03-12"), None, None, 0)
    assert queries.customer.mood(snapshot, 2) == queries.customer.Mood(6, day("2026-03-12"), 4, day("2026-03-12"), 1)
    assert queries.customer.spend_by_month(snapshot, 1, months=4) == [(JAN, 4000), (FEB, 4000), (MAR, 8000), (APR, 0)]


def test_the_rhythm_of_purchases_and_the_second_order(snapshot: queries.Snapshot) -> None:
    gaps = queries.rhythm.gaps(snapshot)
    assert (gaps.weeks, gaps.gaps, gaps.median, gaps.p90) == ([(4, 2)], 2, 30, 30)
    rows = queries.rhythm.second_orders(snapshot)
    assert [(s.month, s.customers, s.ever, s.observed_30, s.within_30) for s in rows] == [
        (JAN, 2, 1, 2, 1),
        (MAR, 1, 0, 0, 0),
    ]


def test_what_customers_say(snapshot: queries.Snapshot) -> None:
    nps = queries.voice.nps(snapshot)
    assert (nps.answers, nps.promoters, nps.passives, nps.detractors, nps.nps) == (2, 1, 0, 1, 0)
    assert queries.voice.nps_by_month(snapshot) == [(MAR, nps)]
    assert queries.voice.csat(snapshot).csat == 1


def test_what_a_reader_should_know_about_the_data(snapshot: queries.Snapshot) -> None:
    told = queries.notices(snapshot)
    assert told.foreign == [("USD", 1, 9900)]
    assert (told.anonymous_orders, told.anonymous_net) == (1, 500)
    assert told.last_event_at == datetime(2026, 3, 13, 2, tzinfo=UTC)
    assert told.last_order_day == day("2026-03-11")
    assert "Too few customers" in told.model[0].en


def test_the_whole_history_in_a_few_figures(snapshot: queries.Snapshot) -> None:
    found = queries.history(snapshot)
    assert (found.gross.lines, found.gross.orders, found.gross.customers, found.gross.amount) == (6, 4, 2, 21000)
    assert (found.net.amount, found.refunds.amount, found.anonymous.amount) == (20000, 1000, 500)
    assert (found.since, found.until) == (day("2026-01-05"), day("2026-03-11"))
    assert queries.history(snapshot, day=day("2026-01-05")).gross.amount == 4000


def test_who_is_at_risk_comes_with_reasons_the_worthiest_first(happened: Callable[..., None]) -> None:
    for record, price in ((1, 10), (2, 90), (3, 50)):
        happened("Customer Identified", record, "2025-01-01 02:00", kinds=["phone"])
        for month in (5, 6, 7):
            happened("Order Completed", record, f"2025-{month:02}-01 02:00", order_id=f"{record}-{month}", total=price)
    happened("Order Completed", 3, "2025-09-01 02:00", order_id="3-9", total=50)
    with clock.frozen(datetime(2025, 9, 10, tzinfo=UTC)):
        feed.catch_up()
        refresh.full()
        told = queries.snapshot()
        page = queries.risk.at_risk(told, limit=1)
        rest = queries.risk.at_risk(told, limit=5, after=page.after)
        assert [row.customer_id for row in page.rows + rest.rows] == [2, 1]
        two = page.rows[0]
        # three visits, 30 days apart on average, the last 71 days ago: overdue from 60 on, silent from 90, lost from 120
        assert (two.gap_days, two.recency_days, two.silent_days, two.stage) == (30, 71, 71, "dormant")
        assert (two.overdue, two.silent, two.spend, two.net) == (True, False, False, 27000)
        totals = queries.risk.totals(told)
        assert (totals.customers, totals.net, totals.overdue, totals.silent) == (2, 30000, 2, 0)
        assert queries.risk.at_risk(told, reason="silent").rows == []


def test_gross_with_discounts_and_fees_less_refunds_is_net_to_the_cent(happened: Callable[..., None]) -> None:
    lines = [{"price": 100, "quantity": 1}, {"price": "50.55", "quantity": 1}]
    happened(
        "Order Completed", 1, "2026-03-06 02:00", order_id="A", store="广州", products=lines, total=140
    )  # 10.55 off
    happened(
        "Order Completed", 1, "2026-03-07 02:00", order_id="B", store="广州", products=lines[:1], total=108
    )  # postage
    happened("Order Completed", 2, "2026-03-07 02:00", order_id="C", store="杭州", products=lines[1:])
    happened("Order Refunded", 1, "2026-03-09 02:00", order_id="A", store="广州", total=20)
    with clock.frozen(datetime(2026, 4, 1, 1, tzinfo=UTC)):
        feed.catch_up()
        refresh.full()
        now = queries.snapshot()
        stores = queries.sales.by(now, dimension="store")
        found = [(row.key, row.gross, row.adjustments, row.refunds, row.net) for row in stores]
        assert found == [("广州", 25_055, -255, 2_000, 22_800), ("杭州", 5_055, 0, 0, 5_055)]
        orders = queries.customer.orders(now, 1).rows
        assert [(one.order_id, one.gross, one.adjustments, one.refunds, one.net) for one in orders] == [
            ("B", 10_000, 800, 0, 10_800), ("A", 15_055, -1_055, 2_000, 12_000),
        ]  # fmt: skip
        figures = {key: one.now for key, one in queries.overview.figures(now, days=30).items()}
        assert figures["gross"] + figures["adjustments"] - figures["refunds"] == figures["net"] == 27_855
        days = queries.overview.series(now, days=30)
        assert sum(one.adjustments for one in days) == figures["adjustments"] == -255
