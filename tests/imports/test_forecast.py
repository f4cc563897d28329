"""What is told before an import begins is what comes of it; what can't be read of a row is told, never dropped."""

from pathlib import Path
from typing import Any

import pytest

from regulars.accounts.actors import SYSTEM
from regulars.imports import queries, services
from regulars.imports.models import Import
from regulars.kernel.errors import Invalid
from regulars.kernel.languages import Text
from tests.imports.worlds import imported, log, mapped, rejects, uploaded, written

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("home")]

PHONES = """Order,Date,Customer,Phone,E-mail,Total
P0,2026-11-01,Anna Smith,+86 138 0000 0001,,10
P1,2026-11-02,Bo Li,13800000002,not-an-email,10
P2,2026-11-03,Chloe Dupont,12345678901,c@example.com,10
P3,2026-11-04,Dev Patel,12,,10
P4,2026-11-05,Eve Fox,+44 7700 900001,,10
P5,2026-11-06,Fay Gray,12,,dear
P6,soon,Fay Gray,12,,1
"""


def test_identities_that_cant_be_read_are_marked_counted_and_stand_in_the_file_of_rejects(tmp_path: Path) -> None:
    row = mapped(written(tmp_path, PHONES))
    shown = queries.preview(row).rows
    assert [(one.row, list(one.unread)) for one in shown if one.unread] == [
        (3, ["email"]), (4, ["phone"]), (5, ["phone"]), (7, ["phone"]), (8, ["phone"])
    ]  # fmt: skip
    assert shown[3].unread["phone"].en == "This phone number has too few digits."
    found = queries.forecast(row)
    assert found is not None
    assert (found.rows, found.taken, found.partly) == (7, 5, 3)
    assert found.rejected == {"amount_bad": 1, "date_bad": 1}
    assert [text.en for _, text in found.unread] == [
        "1 value under “E-mail” couldn't be read: “not…”.",
        "2 values under “Phone” couldn't be read as numbers of China: “123…”, “12”.",
    ]
    assert found.unread[1][1].zh == "“手机号”中有 2 个值无法识别为中国的号码：“123…”、“12”。"
    done = imported(written(tmp_path, PHONES))
    assert (done.counts["sales_new"], done.counts["anonymous"], done.counts["partly"]) == (5, 1, 3)
    assert (done.counts["rejected"], done.counts["in_rejects"]) == (found.rejected, 5)
    assert [(one["en"], one["zh"]) for one in done.remarks] == [(text.en, text.zh) for _, text in found.unread]
    assert [line[-3:-1] for line in rejects(done)[1:4]] == [
        ["3", "Taken in, but without a part of it: E-mail “not-an-email”: This isn't an e-mail address. It looks like "
         "name@example.com."],
        ["4", "Taken in, but without a part of it: Phone “12345678901”: No such phone number is given out. Check the "
         "digits, or write the country code (+86 …)."],
        ["5", "Taken in, but without a part of it: Phone “12”: This phone number has too few digits."],
    ]  # fmt: skip
    assert [event["record"] is None for event in log()] == [False, False, False, True, False]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("orders", PHONES),
        ("orders", "order,date,price,customer id\n1,2024-05-01,10,a\n1,2024-05-01,10,b\n,2024-05-01,10,b\n2,,1,c\n"),
        ("orders", "date,price,phone\n2024-05-01,10,13800000001\n2024-05-01,10,13800000001\n2024-05-01,1,x\n"),
        ("customers", "姓名,手机号,邮箱\n张三,13800138000,z@example.com\n李四,12,l@example.com\n王五,12,\n赵六,,\n"),
        ("events", "event,at,phone\nTea Tasted,2024-05-01,13800138000\nTea Tasted,2024-05-01,12\n,2024-05-01,\n"),
    ],
)  # fmt: skip
def test_what_is_foreseen_is_what_comes_of_it(tmp_path: Path, kind: str, text: str) -> None:
    found = queries.forecast(mapped(written(tmp_path, text), kind))
    assert found is not None
    counts = imported(written(tmp_path, text), kind).counts
    assert (found.rows, found.taken, found.partly, found.rejected) == (
        counts["rows"], sum(counts["kinds"].values()), counts["partly"], counts["rejected"],
    )  # fmt: skip
    assert len(found.samples) == found.partly + sum(found.rejected.values())


BORN = """name,phone,birthday,gender
Anna Fox,13800000001,2031-05-01,f
Bo Li,13800000002,soon,
Cy Wu,13800000003,1990-05-01,m
Di Xu,13800000004,1890-05-01,robot
Ed Po,12,2032-05-01,
Fy Ro,13800000006,1991-05-01,f
Gy So,13800000007,1992-05-01,f
Hy To,13800000008,1993-05-01,f
"""


def test_a_birthday_in_the_future_or_unreadable_is_foreseen_and_left_out_alone(tmp_path: Path) -> None:
    row = mapped(written(tmp_path, BORN, "people.csv"), "customers")
    shown = queries.preview(row).rows
    assert {one.row: {field: text.en for field, text in one.unread.items()} for one in shown if one.unread} == {
        2: {"birthday": "This birthday is in the future."},
        3: {"birthday": "Write the birthday as year-month-day, such as 1990-05-31."},
        5: {"birthday": "Check the year of the birthday.", "gender": "Gender is one of female, male and other."},
        6: {"phone": "This phone number has too few digits.", "birthday": "This birthday is in the future."},
    }
    found = queries.forecast(row)
    assert found is not None
    assert (found.rows, found.taken, found.partly, found.rejected) == (8, 7, 3, {"identity_bad": 1})
    assert [(field, text.en, text.zh) for field, text in found.unread] == [
        (
            "birthday",
            "4 values under “Birthday” are left out: “203…”, “soo…”, “189…” and more.",
            "“生日”中有 4 个值不会保留：“203…”、“soo…”、“189…”等。",
        ),
        ("gender", "1 value under “Gender” is left out: “rob…”.", "“性别”中有 1 个值不会保留：“rob…”。"),
        (
            "phone",
            "1 value under “Phone” couldn't be read as a number of China: “12”.",
            "“手机号”中有 1 个值无法识别为中国的号码：“12”。",
        ),
    ]
    counts = imported(written(tmp_path, BORN, "people.csv"), "customers").counts
    assert (counts["customers_new"], counts["partly"], counts["rejected"]) == (7, 3, {"identity_bad": 1})


AGAIN = """order,date,phone,product,quantity,price,status
1,2026-10-01,13800000001,Tea,1,10,paid
1,2026-10-01,13800000001,Cake,2,5,paid
2,2026-10-02,13800000002,Tea,1,10,paid
3,2026-10-03,13800000003,Tea,1,10,refunded
4,2026-10-04,13800000003,Tea,1,dear,paid
"""


def test_what_is_in_already_is_foreseen_and_what_changed_since_is_rejected_as_it_will_be(tmp_path: Path) -> None:
    first = queries.forecast(mapped(written(tmp_path, AGAIN)))
    assert first is not None
    assert (first.taken, first.again) == (4, 0)
    imported(written(tmp_path, AGAIN))
    second = queries.forecast(mapped(written(tmp_path, AGAIN)))
    assert second is not None
    assert (second.taken, second.again, second.rejected) == (4, 4, {"price_bad": 1})
    other = AGAIN.replace("2026-10-02,", "2026-10-09,").replace("1,dear", "1,12")
    third = queries.forecast(mapped(written(tmp_path, other)))
    assert third is not None
    assert (third.rows, third.taken, third.again, third.rejected) == (5, 4, 3, {"changed": 1})
    assert [(one.row, one.reason) for one in third.samples] == [(4, "changed")]
    counts = imported(written(tmp_path, other)).counts
    assert (counts["sales_new"], counts["sales_same"], counts["refunds_same"], counts["sales_changed"]) == (1, 2, 1, 1)
    assert counts["rejected"] == third.rejected


def test_orders_without_numbers_are_known_again_by_what_they_say(tmp_path: Path) -> None:
    text = "date,phone,price\n2026-10-01,13800000001,10\n2026-10-01,13800000001,10\n2026-10-02,13800000001,10\n"
    imported(written(tmp_path, text))
    found = queries.forecast(mapped(written(tmp_path, text + "2026-10-01,13800000001,10\n2026-10-02,,8\n")))
    assert found is not None
    assert (found.rows, found.taken, found.again) == (5, 5, 3)


def test_what_is_in_already_is_looked_up_in_batches(tmp_path: Path, django_assert_max_num_queries: Any) -> None:
    text = "order,date,phone,price\n" + "".join(f"{n},2026-10-01,1380000{n:04},10\n" for n in range(500))
    imported(written(tmp_path, text))
    row = mapped(written(tmp_path, text))
    with django_assert_max_num_queries(12):
        found = queries.forecast(row)
    assert found is not None
    assert (found.taken, found.again) == (500, 500)


def test_what_was_chosen_for_a_file_is_chosen_for_the_next_of_the_same_columns(tmp_path: Path) -> None:
    text = "order,date,price,phone,currency,status\n1,2026-10-01,10,13800000001,GBP,paid\n2,2026-10-01,9,,GBP,odd\n"
    with pytest.raises(Invalid, match="GBP"):
        queries.ready(mapped(written(tmp_path, text)))
    said = {"paid": "paid", "odd": "unpaid"}
    imported(written(tmp_path, text, "may.csv"), foreign=True, store="East", statuses=said)
    row = mapped(written(tmp_path, text + "3,2026-10-02,8,13800000002,GBP,cancelled\n"))
    queries.ready(row)
    assert (row.mapping["foreign"], row.mapping["store"]) == (True, "East")
    assert row.mapping["statuses"] == {"paid": "paid", "odd": "unpaid", "cancelled": "cancelled"}
    assert [one["en"] for one in row.remarks] == [
        "“may.csv” had the same columns: what was chosen for it is chosen here, too."
    ]
    other = mapped(written(tmp_path, text.replace("price", "unit price")))
    assert (other.mapping["foreign"], other.mapping["store"]) == (False, "")


class Noted(services.Silent):
    """Keeps what is said of the work."""

    def __init__(self) -> None:
        self.said: list[tuple[float, str]] = []

    def report(self, done: int, total: int | None = None, note: Text | None = None, *, at_once: bool = False) -> None:
        assert total and note
        self.said.append((done / total, note.en))


def test_the_share_is_of_the_whole_work_and_what_is_done_is_said(tmp_path: Path) -> None:
    row, noted = uploaded(written(tmp_path, AGAIN)), Noted()
    services.read(noted, row.pk)
    assert noted.said[0] == (0, "Reading the file")
    assert noted.said[-1] == (0.75, "Finding out what each column is")
    assert max(share for share, note in noted.said if note == "Reading the file") <= 0.75
    services.start(id=row.pk, by=SYSTEM, in_a_job=False)
    noted.said.clear()
    services.run(noted, row.pk)
    assert noted.said[0] == (0, "Sorting the rows")
    before, last = noted.said[-2:]
    assert before[1] == "Writing down what wasn't taken in"
    assert before[0] < 1 == last[0]


def test_a_forecast_that_nobody_waits_for_any_more_ends(tmp_path: Path) -> None:
    row = mapped(written(tmp_path, PHONES))
    before = queries.get(row.pk)
    services.choose_mapping(id=row.pk, mapping={**row.mapping, "store": "East"}, by=SYSTEM)
    assert queries.forecast(before) is None
    services.start(id=row.pk, by=SYSTEM, in_a_job=False)
    assert queries.forecast(row) is None
    services.run(services.Silent(), row.pk)
    assert queries.get(row.pk).counts["sales_new"] == 5


def test_faults_of_the_mapping_come_first(tmp_path: Path) -> None:
    row: Any = mapped(written(tmp_path, PHONES))
    columns = {target: header for target, header in row.mapping["columns"].items() if target != "at"}
    services.choose_mapping(id=row.pk, mapping={**row.mapping, "columns": columns}, by=SYSTEM)
    assert queries.forecast(Import.objects.get(id=row.pk)) is None
