"""What lists of customers ask of much history, by bits and maxima, is what metrics and joins say."""

from collections.abc import Iterator
from itertools import pairwise

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regulars.analytics import engines
from regulars.analytics.metrics import mood
from regulars.kernel.errors import Invalid
from regulars.warehouse import engine, queries
from regulars.warehouse.queries import voice
from regulars.warehouse.queries.customers import Filters
from regulars.warehouse.queries.snapshot import among

ANSWER = st.tuples(
    st.none() | st.integers(1, 6),  # record
    st.integers(1, 3),  # moment: many at once
    st.sampled_from(["nps", "csat"]),
    st.none() | st.integers(-1, 12),
    st.sampled_from([None, "", "Bund"]),
    st.sampled_from(["Survey Answered", "Complaint Filed"]),
)
ASKED = st.tuples(
    st.sampled_from(["nps", "csat"]),
    st.none() | st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from([None, "", "Bund"]),
)


@given(st.lists(ANSWER, max_size=12), st.lists(st.integers(1, 6), min_size=6, max_size=6), ASKED)
@settings(max_examples=60, deadline=None)
def test_the_last_answers_that_lists_are_about_are_those_that_metrics_count(
    answers: list[tuple[int | None, int, str, int | None, str | None, str]],
    roots: list[int],
    asked: tuple[str, int | None, int, str | None],
) -> None:
    kind, since, until, store = asked
    least, most = (0, 10) if kind == "nps" else (1, 5)
    with duckdb.connect() as database:
        database.execute("""CREATE TABLE records(record_id BIGINT, customer_id BIGINT);
            CREATE TABLE events(position BIGINT, name VARCHAR, record_id BIGINT, "at" BIGINT, day INTEGER,
                category VARCHAR, score INTEGER, store VARCHAR)""")
        for record, root in enumerate(roots, 1):
            database.execute("INSERT INTO records VALUES (?, ?)", [record, root])
        for position, (record, at, category, score, place, name) in enumerate(answers, 1):
            row = [position, name, record, at * 10**15, at, category, score, place]
            database.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        by = "all" if store is None else "store"
        metric = engines.sql(mood.answers, kind=kind, most=most, least=least, by=by, since=since, until=until)
        where = f"WHERE bucket = '{store}'" if store is not None else ""
        counted = database.execute(f"SELECT person, score FROM ({metric}) {where} ORDER BY 1").fetchall()
        sql, params = voice.answers(kind, since=since, until=until, store=store)
        assert database.execute(f"{sql} ORDER BY 1", params).fetchall() == counted


@pytest.fixture
def snapshot(home: object, db: None) -> Iterator[queries.Snapshot]:
    """Eight customers, one of two records; net in no order, two the same, one without a chance."""
    with engine.writing() as pen:
        pen.execute("""
            INSERT INTO records SELECT i, if(i = 9, 2, i), true, false, 0 FROM range(1, 10) r(i);
            INSERT INTO scores BY NAME SELECT i AS customer_id, true AS known, false AS erased, 1 AS orders,
                [50, 20, 50, -10, 70, 0, 20, 50][i] AS net, [0.5, NULL, 0.5, 0.1, 0.9, NULL, 0.5, 0.2][i] AS p_alive,
                'active' AS stage, i % 3 AS visits FROM range(1, 9) r(i)
        """)
    yield queries.snapshot()
    engine.close()


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("sort", ["net", "p_alive", "customer_id"])
@pytest.mark.parametrize("limit", [1, 2, 3, 8])
def test_pages_hold_every_customer_once_in_order_whatever_their_length(
    snapshot: queries.Snapshot, sort: str, descending: bool, limit: int
) -> None:
    found, after = [], None
    while True:
        page = queries.customers.page(snapshot, sort=sort, descending=descending, after=after, limit=limit)
        assert len(page.rows) == limit or page.after is None
        found += page.rows
        if (after := page.after) is None:
            break
    values = [(getattr(row, sort), row.customer_id) for row in found]
    assert sorted(id for _, id in values) == list(range(1, 9))
    for (one, first), (other, second) in pairwise(values):
        if one is None or other is None:
            assert one is not None or (other is None and first < second)  # without a value last
        else:
            assert (one == other and first < second) or (one > other if descending else one < other)


def test_marked_are_exactly_those_that_a_question_finds(snapshot: queries.Snapshot) -> None:
    marked = snapshot.marked("SELECT unnest([-3, 0, 2, 8, 9, 9, 10, NULL]::BIGINT[])")
    assert snapshot.read(f"SELECT customer_id FROM scores WHERE {among(marked, 'customer_id')} ORDER BY 1") == [
        (2,),
        (8,),
    ]
    nobody = snapshot.marked("SELECT customer_id FROM scores WHERE net > 100")
    assert snapshot.read(f"SELECT count(*) FROM scores WHERE {among(nobody, 'customer_id')}") == [(0,)]


def test_a_tag_of_a_record_is_its_customers_and_who_came_again_did_on_two_days(snapshot: queries.Snapshot) -> None:
    assert queries.customers.ids(snapshot, filters=Filters(records=(9, 4))) == [2, 4]
    assert queries.customers.ids(snapshot, filters=Filters(again=queries.customers.EVER)) == [2, 5, 8]
    with pytest.raises(Invalid):
        queries.customers.page(snapshot, sort="nothing")
