"""A person erased everywhere: files, answers, saved views; and what comes late of the time before stays nameless."""

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from regulars.accounts.actors import SYSTEM
from regulars.api.models import StoredAnswer
from regulars.console.models import SavedView
from regulars.customers import memory, queries
from regulars.customers.models import Customer, ErasedIdentity
from regulars.customers.services import Claim, CustomerRow, import_customers, resolve
from regulars.eventlog import dispatch
from regulars.eventlog import queries as log
from regulars.imports import files
from regulars.imports.models import Import
from regulars.jobs.models import Job
from regulars.kernel import clock
from regulars.kernel.errors import Conflict, Forbidden
from regulars.wiring import erasures, exports, receiving

MONDAY = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
TUESDAY, WEDNESDAY = MONDAY + timedelta(days=1), MONDAY + timedelta(days=2)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh(home: Path) -> None:
    memory.forget()


def ordered(id: str, at: datetime, user: str = "user-4711", **more: Any) -> log.EventRow:
    """An order of the person, taken in as from the API; as it stands in the log."""
    identities = [{"type": "phone", "id": "138 1234 5678"}]
    call = {
        "type": "track", "event": "Order Completed", "userId": user, "messageId": id, "timestamp": at.isoformat(),
        "properties": {"order_id": id, "total": 20, **more}, "context": {"ip": "1.2.3.4", "externalId": identities},
    }  # fmt: skip
    assert receiving.accept([call], source="api:1") == [None]
    return log.by_message_id(id)


def erased_on_tuesday(minute: int = 0) -> int:
    first = ordered("m1", MONDAY).record_id
    assert first is not None
    with clock.frozen(TUESDAY + timedelta(minutes=minute)):
        assert erasures.erase(customer_id=first, by=SYSTEM).records == 1
    return first


def test_what_comes_late_of_the_time_before_stays_nameless_and_what_comes_after_begins_anew() -> None:
    first = erased_on_tuesday()
    late = ordered("m2", MONDAY + timedelta(hours=1), note="call me", deliver="call 13812345678", color="red")
    assert late.record_id == first
    assert late.properties == {"order_id": "m2", "total": 20, "color": "red"} and late.context == {"amounts_in": "CNY"}
    assert Customer.objects.count() == 1 and queries.identities(first) == []
    new = ordered("m3", WEDNESDAY)
    assert new.record_id not in (None, first)
    assert queries.with_identity("phone", "13812345678") == new.record_id
    # The old times are the erased person's still, also where the identity is known again.
    assert ordered("m4", MONDAY + timedelta(hours=2)).record_id == first
    memory.forget()
    assert ordered("m5", MONDAY + timedelta(hours=3)).record_id == first
    assert ordered("m6", WEDNESDAY + timedelta(hours=1)).record_id == new.record_id


def test_an_identity_is_remembered_as_a_hash_that_tells_nobody_who_it_was(settings: Any) -> None:
    erased_on_tuesday()
    kept = list(ErasedIdentity.objects.values_list("digest", flat=True))
    assert len(kept) == 2 and all(len(one) == 64 for one in kept)
    settings.SECRET_KEY = "another installation's"
    assert ordered("m2", MONDAY).record_id not in (None, kept)  # nothing can be found with another secret
    assert Customer.objects.count() == 2


def test_somebody_else_at_the_same_browser_stays_who_they_are() -> None:
    (ours,) = resolve([Claim((("user_id", "user-1"), ("anonymous_id", "browser-7")), {}, MONDAY)])
    (other,) = resolve([Claim((("user_id", "user-2"),), {}, MONDAY)])
    assert ours is not None
    with clock.frozen(TUESDAY):
        erasures.erase(customer_id=ours, by=SYSTEM)
    late: set[int] = set()
    claims = [
        Claim((("user_id", "user-2"), ("anonymous_id", "browser-7")), {"city": "Wuhan"}, MONDAY),
        Claim((("anonymous_id", "browser-7"),), {"city": "Xi'an"}, MONDAY),
        Claim((("user_id", "user-3"),), {}, MONDAY),
    ]
    assert resolve(claims, late=late)[:2] == [other, ours]
    assert late == {1}
    assert [identity.kind for identity in queries.identities(other or 0)] == ["user_id"]
    assert queries.get(other or 0).fields["city"] == "Wuhan" and queries.get(ours).fields["city"] is None


def test_a_row_of_an_older_customer_file_is_refused() -> None:
    erased_on_tuesday()
    rows = [
        CustomerRow((("user_id", "user-4711"),), {"name": "Li Na"}, tags=("VIP",), at=at) for at in (MONDAY, WEDNESDAY)
    ]
    old, new = import_customers(rows, SYSTEM)
    assert old.customer_id is None and [problem.code for problem in old.problems] == ["erased"]
    assert new.customer_id is not None and new.new


def _table(path: Path, rows: list[list[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(rows)


def _rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def test_files_lose_the_person_and_the_receipt_says_what_is_left() -> None:
    id = ordered("m1", MONDAY).record_id or 0
    exported, other = exports.folder() / "a.csv", ["77", "Zhao\nMin", "+8613987654321"]
    _table(exported, [["客户编号", "姓名", "手机"], [str(id), "Li Na", "+8613812345678"], other])
    rejected = files.rejects(Import.objects.create(kind="customers", name="a", size=1, digest="", state="done").pk)
    _table(
        rejected, [["phone", "row"], ["138-1234-5678", "2"], ["x", "3"], ["of user-4711", "4"], ["13987654321", "5"]]
    )
    with clock.frozen(MONDAY):
        waiting = Import.objects.create(kind="customers", name="b", size=1, digest="", state="mapped")
    files.source(waiting.pk).write_text("phone\n13812345678\n")
    StoredAnswer.objects.create(api_key=1, key="k", digest="d", status=200, body='{"value": "+8613812345678"}')
    for name, query in (("Theirs", "q=138+1234+5678"), ("Big spenders", "stage=active")):
        SavedView.objects.create(staff_id=1, area="customers", name=name, query=query)
    with clock.frozen(TUESDAY):
        receipt = erasures.erase(customer_id=id, by=SYSTEM)
    assert (receipt.records, receipt.rows) == (1, 5)
    assert _rows(exported) == [["客户编号", "姓名", "手机"], other]
    assert _rows(rejected) == [["phone", "row"], ["x", "3"], ["13987654321", "5"]]
    assert StoredAnswer.objects.get().body == "{}"
    assert [view.name for view in SavedView.objects.all()] == ["Big spenders"]
    assert [one.until for one in receipt.remains] == [TUESDAY + timedelta(hours=2), MONDAY + timedelta(days=30)]
    with pytest.raises(Conflict):
        erasures.erase(customer_id=id, by=SYSTEM)


def test_names_of_files_and_jobs_lose_the_person_and_others_keep_theirs() -> None:
    id = ordered("m1", MONDAY).record_id or 0
    for name in ("orders of user-4711.csv", "138 1234 5678.xlsx", "November.csv"):
        Import.objects.create(kind="orders", name=name, size=1, digest="", state="done")
        Job.objects.create(kind="imports.run", title={"en": f"Import {name}", "zh": f"导入 {name}"}, actor="system")
    failed = {"en": "user-4711 twice", "zh": "user-4711 重复"}
    Job.objects.create(kind="x", title={"en": "Export", "zh": "导出"}, error=failed, actor="system")
    assert erasures.erase(customer_id=id, by=SYSTEM).rows == 5
    kept = list(Import.objects.order_by("id").values_list("id", "name"))
    assert [name for _, name in kept] == [f"{kept[0][0]}.csv", f"{kept[1][0]}.xlsx", "November.csv"]
    assert [job.title["en"] for job in Job.objects.order_by("id")] == [
        "Name erased with a person", "Name erased with a person", "Import November.csv", "Name erased with a person",
    ]  # fmt: skip
    assert not Job.objects.exclude(error=None).exists()


def test_who_may_not_erase_touches_no_file(actors: dict[str, Any]) -> None:
    id = ordered("m1", MONDAY).record_id or 0
    _table(exports.folder() / "a.csv", [["id"], [str(id)]])
    with pytest.raises(Forbidden):
        erasures.erase(customer_id=id, by=actors["agent"])
    assert _rows(exports.folder() / "a.csv") == [["id"], [str(id)]]


def test_of_one_batch_and_hour_what_is_before_the_erasure_is_nameless_and_what_is_after_begins_anew() -> None:
    first = erased_on_tuesday(minute=30)
    calls = [
        {"type": "page", "name": "Coat", "userId": "user-4711", "messageId": f"p{minute}",
         "timestamp": (TUESDAY + timedelta(minutes=minute)).isoformat()}
        for minute in (40, 30, 50, 29)
    ]  # fmt: skip
    assert receiving.accept(calls, source="api:1") == [None] * 4
    records = [log.by_message_id(call["messageId"]).record_id for call in calls]
    assert records[3] == first
    assert records[0] == records[1] == records[2] != first


def test_figures_hold_when_a_late_order_comes(home: Path) -> None:
    from regulars.warehouse import engine, feed

    first = erased_on_tuesday()
    ordered("m2", MONDAY, note="Ring twice")
    dispatch.number()
    try:
        feed.catch_up()
        assert engine.read("SELECT record_id, sum(amount) FROM lines GROUP BY 1") == [(first, 4000)]
        assert engine.read("SELECT count(*) FROM events WHERE properties LIKE '%Ring%'") == [(0,)]
        assert engine.read("SELECT erased FROM records WHERE record_id = ?", [first]) == [(True,)]
    finally:
        engine.close()
