"""What is told before an import begins is what comes of it; what can't be read of a row is told, never dropped."""

from pathlib import Path
from typing import Any

import pytest

from regulars.accounts.actors import SYSTEM
from regulars.imports import queries, services
from regulars.imports.models import Import
from tests.imports.worlds import imported, log, mapped, rejects, written

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
        "1 value under “E-mail” couldn't be read: not….",
        "2 values under “Phone” couldn't be read as numbers of China: 123…, 12.",
    ]
    assert found.unread[1][1].zh == "“手机号”中有 2 个值无法识别为中国的号码：123…、12。"
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
