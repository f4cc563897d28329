"""Orders from files: what comes into the log, once."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regulars.accounts.actors import SYSTEM
from regulars.customers import queries as customers
from regulars.imports import queries, services
from regulars.kernel.errors import Conflict, Forbidden, Problem
from tests.imports.worlds import imported, log, mapped, rejects, written

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("home")]

ORDERS = """order,date,product,sku,quantity,price,customer id,city
1,2024-05-01 10:00,Oolong,T1,2,39.9,c1,上海
2,2024-05-01 11:00,Longjing,T2,1,88,c2,苏州
1,2024-05-01 10:00,Cup,M1,1,50,c1,上海
1,2024-05-01 10:00,Cup,M1,1,50,c1,上海
3,2024-05-02 09:00,Sample,S1,3,0,c1,上海
4,2024-05-02 10:00,Oolong,T1,1,39.9,,
2,2024-05-03 11:00,Longjing,T2,-1,88,c2,苏州
"""


def test_lines_become_orders_refunds_and_anonymous_sales(tmp_path: Path) -> None:
    row = imported(written(tmp_path, ORDERS))
    first, second, third, fourth, refund = log()
    assert (first["name"], first["at"]) == ("Order Completed", "2024-05-01 02:00:00")
    assert first["properties"] == {
        "order_id": "1",
        "products": [
            {"product_id": "T1", "name": "Oolong", "price": 39.9, "quantity": 2},
            {"product_id": "M1", "name": "Cup", "price": 50.0, "quantity": 1},
            {"product_id": "M1", "name": "Cup", "price": 50.0, "quantity": 1},
        ],
    }
    assert second["properties"]["order_id"] == "2"
    assert third["properties"]["products"][0] == {"product_id": "S1", "name": "Sample", "price": 0.0, "quantity": 3}
    assert (third["record"], fourth["record"]) == (first["record"], None)
    assert (refund["name"], refund["record"], refund["at"]) == (
        "Order Refunded",
        second["record"],
        "2024-05-03 03:00:00",
    )
    assert refund["properties"]["products"] == [{"product_id": "T2", "name": "Longjing", "price": 88.0, "quantity": 1}]
    assert row.counts == {
        "sales_new": 4, "refunds_new": 1, "anonymous": 1, "rows": 7, "kinds": {"sale": 6, "refund": 1}, "rejected": {},
        "partly": 0, "in_rejects": 0,
    }  # fmt: skip
    assert row.state == "done"


def test_the_same_file_twice_changes_nothing(tmp_path: Path) -> None:
    imported(written(tmp_path, ORDERS))
    before = log()
    row = imported(written(tmp_path, ORDERS))
    assert log() == before
    assert (row.counts["sales_same"], row.counts["refunds_same"]) == (4, 1)
    assert "sales_new" not in row.counts


def test_an_order_that_came_before_with_other_content_stays_and_is_told(tmp_path: Path) -> None:
    imported(written(tmp_path, ORDERS))
    before = log()
    row = imported(written(tmp_path, ORDERS.replace("T2,1,88,c2", "T2,1,77,c2")))
    assert log() == before
    assert row.counts["sales_changed"] == 1
    assert row.counts["rejected"] == {"changed": 1}
    assert rejects(row)[1][-3:] == [
        "3",
        "This order was imported before with other content; it stays as it was.",
        "该订单此前已导入且内容不同，保留原有内容。",
    ]


def test_the_same_number_from_another_source_or_store_is_another_order(tmp_path: Path) -> None:
    imported(written(tmp_path, ORDERS))
    row = imported(written(tmp_path, ORDERS), source="second till")
    assert row.counts["sales_new"] == 4
    text = "order,date,price,customer id,store\n1,2024-05-01,5,a,East\n1,2024-05-01,7,b,West\n"
    assert imported(written(tmp_path, text), source="shops").counts["sales_new"] == 2


def test_returns_are_told_by_the_prefix_or_the_sign_or_not_at_all(tmp_path: Path) -> None:
    text = "order,date,quantity,price,customer id\n1,2024-05-01,2,10,a\nR2,2024-05-02,1,10,a\n3,2024-05-03,-1,10,a\n"
    by_prefix = imported(written(tmp_path, text), returns={"by": "prefix", "prefix": "R"}, source="prefix")
    assert (by_prefix.counts["kinds"], by_prefix.counts["rejected"]) == (
        {"sale": 1, "refund": 1},
        {"quantity_negative": 1},
    )
    by_sign = imported(written(tmp_path, text), returns={"by": "sign"}, source="sign")
    assert by_sign.counts["kinds"] == {"sale": 2, "refund": 1}
    never = imported(written(tmp_path, text), returns={"by": "none"}, source="none")
    assert (never.counts["kinds"], never.counts["rejected"]) == ({"sale": 2}, {"quantity_negative": 1})


def test_a_status_says_what_is_a_sale(tmp_path: Path) -> None:
    text = "order,date,price,customer id,status\n"
    text += (
        "1,2024-05-01,10,a,paid\n2,2024-05-01,10,a,refunded\n3,2024-05-01,10,a,pending\n4,2024-05-01,10,a,cancelled\n"
    )
    text += "5,2024-05-01,10,a,lost in space\n"
    row = imported(written(tmp_path, text))
    assert [(e["name"], e["properties"]["order_id"]) for e in log()] == [
        ("Order Completed", "1"),
        ("Order Completed", "2"),
        ("Order Refunded", "2"),
    ]
    assert row.counts["kinds"] == {"sale": 1, "both": 1, "unpaid": 1, "cancel": 1}
    assert row.counts["cancelled_orders"] == 1
    assert row.counts["rejected"] == {"status_unknown": 1}
    # A month later the first was cancelled, the second is as it was.
    text = "order,date,price,customer id,status\n1,2024-05-01,10,a,cancelled\n2,2024-05-01,10,a,refunded\n"
    row = imported(written(tmp_path, text))
    assert [(e["name"], e["properties"]["order_id"]) for e in log()[3:]] == [("Order Cancelled", "1")]
    assert (row.counts["cancels_new"], row.counts["sales_same"], row.counts["refunds_same"]) == (1, 1, 1)


def test_rows_that_cant_be_taken_come_back_with_the_reason_and_the_others_go_in(tmp_path: Path) -> None:
    text = "order,date,quantity,price,customer id\n"
    text += "1,2024-05-01,1,10,a\n,2024-05-01,1,10,a\n2,soon,1,10,a\n3,2024-05-01,many,10,a\n4,2024-05-01,1,dear,a\n"
    text += "5,2024-05-01,1,-10,a\n6,2024-05-01,0,10,a\n7,2024-05-01,,10,a\n8,2024-05-01,1,,a\n1,2024-05-01,1,10,b\n"
    text += "9,2024-05-01,1,10,a\n"
    columns = {"order_id": "order", "at": "date", "quantity": "quantity", "price": "price", "user_id": "customer id"}
    row = imported(written(tmp_path, text), columns=columns)
    assert row.counts["sales_new"] == 2
    assert [(line[5], line[6]) for line in rejects(row)[1:]] == [
        ("3", "There is no order number."),
        ("4", "The date can't be read."),
        ("5", "The quantity isn't a number."),
        ("6", "The price isn't a number."),
        ("7", "The price is negative."),
        ("8", "The quantity is zero."),
        ("9", "There is no quantity."),
        ("10", "There is no price and no amount."),
        ("11", "The order belongs to another customer by its lines before."),
    ]


def test_lines_of_one_order_are_one_customer_s_however_that_customer_is_written(tmp_path: Path) -> None:
    text = """order,date,price,customer id,phone,email
X1,2024-05-01,10,,13900000000,a@b.com
X1,2024-05-01,20,,13900000000,
X2,2024-05-01,10,,+86 139 0000 0001,
X2,2024-05-01,20,,13900000001,B@c.com
X2,2024-05-01,20,,,b@C.com
X3,2024-05-01,10,,13900000002,
X3,2024-05-01,20,,13900000003,
X4,2024-05-01,10,,13900000004,d@b.com
X4,2024-05-01,20,,13900000005,D@b.com
X4,2024-05-01,30,,13900000005,
X5,2024-05-01,10,u1,13900000006,
X5,2024-05-01,20,u2,13900000006,
X6,2024-05-01,10,,call me,
X6,2024-05-01,20,,13900000007,
"""
    chosen = {"columns": {"order_id": "order", "at": "date", "price": "price", "user_id": "customer id",
                          "phone": "phone", "email": "email"}}  # fmt: skip
    waiting = mapped(written(tmp_path, text), **chosen)
    foreseen = queries.forecast(waiting)
    assert foreseen is not None
    row = imported(written(tmp_path, text), **chosen)
    assert row.counts["rejected"] == foreseen.rejected == {"customer_differs": 2}
    assert [line[0] for line in rejects(row)[1:] if "another customer" in line[-2]] == ["X3", "X5"]
    events = {event["properties"]["order_id"]: event for event in log()}
    assert [len(events[name]["properties"]["products"]) for name in sorted(events)] == [2, 3, 1, 3, 1, 2]
    known = {
        name: [one.value for one in customers.identities(event["record"])] for name, event in sorted(events.items())
    }
    assert known == {
        "X1": ["+8613900000000", "a@b.com"],
        "X2": ["+8613900000001", "b@c.com"],
        "X3": ["+8613900000002"],
        "X4": ["+8613900000004", "+8613900000005", "d@b.com"],
        "X5": ["u1", "+8613900000006"],
        "X6": ["+8613900000007"],
    }
    assert "sales_changed" not in imported(written(tmp_path, text), **chosen).counts


def test_amounts_of_lines_and_of_orders_are_kept_to_the_cent(tmp_path: Path) -> None:
    text = "order,date,quantity,line total,customer id\n1,2024-05-01,3,10.00,a\n1,2024-05-01,7,100.01,a\n"
    imported(written(tmp_path, text))
    assert log()[0]["properties"]["products"] == [
        {"price": 3.333333, "quantity": 3},
        {"price": 14.287143, "quantity": 7},
    ]
    text = "order,date,quantity,order total,sku,customer id\n2,2024-05-02,1,30,x,a\n2,2024-05-02,2,30,y,a\n"
    imported(written(tmp_path, text))
    assert log()[1]["properties"] == {
        "order_id": "2",
        "total": 30.0,
        "products": [
            {"product_id": "x", "price": 10.0, "quantity": 1},
            {"product_id": "y", "price": 10.0, "quantity": 2},
        ],
    }
    imported(written(tmp_path, "order,date,order total,customer id\n3,2024-05-03,12.5,a\n"))
    assert log()[2]["properties"] == {"order_id": "3", "total": 12.5}


def test_without_order_numbers_every_row_is_an_order_and_still_comes_once(tmp_path: Path) -> None:
    text = "customer_id,date,number_of_cds,dollar_value\n1,19970101,1,11.77\n2,19970112,1,12.00\n1,19970101,1,11.77\n"
    assert imported(written(tmp_path, text)).counts["sales_new"] == 3
    assert imported(written(tmp_path, text)).counts["sales_same"] == 3
    assert len({event["properties"]["order_id"] for event in log()}) == 3


def test_a_customer_s_details_come_along(tmp_path: Path) -> None:
    imported(written(tmp_path, ORDERS))
    assert customers.get(log()[0]["record"]).fields["city"] == "上海"


def test_foreign_money_is_refused_until_it_is_meant(tmp_path: Path) -> None:
    text = "order,date,price,customer id,currency\n1,2024-05-01,10,a,人民币\n2,2024-05-01,10,a,usd\n3,2024-05-01,9,a,shells\n"
    row = mapped(written(tmp_path, text))
    with pytest.raises(Problem) as refused:
        services.start(id=row.pk, by=SYSTEM, in_a_job=False)
    assert (refused.value.code, refused.value.field) == ("foreign_currency", "currency")
    row = imported(written(tmp_path, text), foreign=True)
    assert [event["properties"].get("currency") for event in log()] == ["CNY", "USD"]
    assert row.counts["rejected"] == {"currency_bad": 1}


def test_who_may_not_import_is_refused_and_a_running_import_isnt_started_again(
    tmp_path: Path, actors: dict[str, Any]
) -> None:
    path = written(tmp_path, ORDERS)
    with pytest.raises(Forbidden):
        services.upload(kind="orders", name="x", chunks=[b"x"], by=actors["agent"])
    row = mapped(path)
    with pytest.raises(Forbidden):
        services.start(id=row.pk, by=actors["analyst"])
    services.start(id=row.pk, by=actors["marketer"], in_a_job=False)
    with pytest.raises(Conflict):
        services.start(id=row.pk, by=actors["marketer"], in_a_job=False)


def test_a_cancelled_import_ends_and_its_files_go(tmp_path: Path, home: Path) -> None:
    row = mapped(written(tmp_path, ORDERS))
    services.cancel(id=row.pk, by=SYSTEM)
    assert queries.get(row.pk).state == "cancelled"
    assert not [path for path in (home / "files").rglob("*") if path.is_file()]


def test_the_files_of_old_imports_are_forgotten_and_the_import_stays(tmp_path: Path, home: Path) -> None:
    row = imported(written(tmp_path, ORDERS + "5,soon,x,y,1,1,c1,z\n"))
    assert services.forget_files() == 0
    assert queries.rejects_file(row) is not None
    assert services.forget_files(older_than=timedelta(seconds=-1)) == 1
    assert (queries.rejects_file(row), queries.get(row.pk).state) == (None, "done")
    assert services.forget_files(older_than=timedelta(seconds=-1)) == 0


@given(
    lines=st.lists(
        st.tuples(st.integers(1, 5), st.integers(-3, 5), st.integers(-1, 4), st.sampled_from(["a", "b", ""])),
        min_size=1,
        max_size=12,
    )
)
@settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_whatever_the_file_all_rows_are_taken_or_rejected_and_a_second_time_changes_nothing(
    tmp_path: Path, lines: list[tuple[int, int, int, str]]
) -> None:
    text = "order,date,quantity,price,customer id\n"
    text += "".join(f"{order},2024-05-0{order},{q},{p},{who}\n" for order, q, p, who in lines)
    columns = {"order_id": "order", "at": "date", "quantity": "quantity", "price": "price", "user_id": "customer id"}
    options: dict[str, Any] = {"columns": columns, "returns": {"by": "sign"}, "source": text[:100]}
    path = written(tmp_path, text)
    row = imported(path, **options)
    assert row.counts["rows"] == len(lines)
    assert sum(row.counts["rejected"].values()) == len(rejects(row)) - 1
    before = log()
    again = imported(path, **options)
    assert log() == before
    assert again.counts["rejected"] == row.counts["rejected"]
