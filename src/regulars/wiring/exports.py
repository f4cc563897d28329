"""Lists of customers as files: a job writes the CSV, which stays in the data folder for those who may have it."""

import csv
import os
from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from regulars.accounts.actors import Actor
from regulars.accounts.queries import business
from regulars.accounts.services import audit
from regulars.analytics import lifecycle, rfm
from regulars.analytics.cutoffs import Cutoffs
from regulars.customers import queries as customers
from regulars.customers.identities import KINDS
from regulars.jobs.progress import Progress
from regulars.jobs.queries import job as job_of
from regulars.jobs.services import start
from regulars.kernel import clock, money
from regulars.kernel.cells import safe_cell
from regulars.kernel.errors import NotFound
from regulars.kernel.languages import Text
from regulars.warehouse import queries as warehouse
from regulars.warehouse.queries.customers import Filters

KIND = "customers.export"
_PAGE = 2_000
_SHOWN = ("phone", "email", "member_card", "user_id")
_HEAD = (
    Text("Customer", "客户编号"), Text("Name", "姓名"), *(KINDS[kind] for kind in _SHOWN), Text("City", "城市"),
    Text("Home store", "归属门店"), Text("Tags", "标签"), Text("Stage", "生命周期阶段"), Text("RFM group", "RFM 分组"),
    Text("R", "R"), Text("F", "F"), Text("M", "M"), Text("Orders", "订单数"), Text("Net spend", "净消费"),
    Text("First purchase", "首次购买"), Text("Last purchase", "最近购买"), Text("About to leave", "即将流失"),
    Text("Probability of coming back", "仍会光顾的概率"), Text("Expected value, 12 months", "未来 12 个月预期价值"),
)  # fmt: skip


def folder() -> Path:
    return Path(settings.FILES or settings.HOME) / "exports"


@transaction.atomic
def start_export(
    *, filters: Filters, tag: str, sort: str, descending: bool, language: str, by: Actor
) -> str:  # fmt: skip
    """Start the job that writes the customers of a list, in its order, with their identities in full; the job's id."""
    by.require("customers.export")
    arguments = {
        "filters": asdict(filters), "tag": tag, "sort": sort, "descending": descending, "language": language,
    }  # fmt: skip
    job = start(KIND, by=by, arguments=arguments, title=Text("Export of customers", "导出客户"))
    audit(by=by, action="Customers Exported", object_kind="job", object_id=job.pk, details={"tag": tag})
    return job.pk


def export_customers(
    progress: Progress, *, filters: Mapping[str, Any], tag: str, sort: str, descending: bool, language: str
) -> dict[str, Any]:
    """Write the file anew from the start (a restart repeats it: it only reads); how many rows it has."""
    given = Filters(**{name: _frozen(value) for name, value in filters.items()})
    if tag:
        given = with_tag(given, tag)
    begun, snapshot = clock.now(), warehouse.snapshot()
    total = warehouse.customers.count(snapshot, filters=given)
    target = folder() / f"{progress.job_id}.csv"
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_suffix(".half")
    own = business()
    cutoffs = Cutoffs.from_json(own.more.get("cutoffs") or {})
    done, after = 0, None
    with half.open("w", encoding="utf-8-sig", newline="") as file:
        out = csv.writer(file)
        out.writerow([text.in_language(language) for text in _HEAD])
        while True:
            progress.check_cancelled()
            page = warehouse.customers.page(
                snapshot, filters=given, sort=sort, descending=descending, after=after, limit=_PAGE
            )
            ids = [row.customer_id for row in page.rows]
            cards, named, tags = customers.by_ids(ids), customers.identities_of(ids), customers.tags_of(ids)
            for row in page.rows:
                card = cards.get(row.customer_id)
                values = {identity.kind: identity.value for identity in reversed(named.get(row.customer_id, []))}
                out.writerow(
                    [
                        row.customer_id,
                        safe_cell(card.name if card else ""),
                        *(safe_cell(values.get(kind, "")) for kind in _SHOWN),
                        safe_cell(card.city if card else ""),
                        safe_cell(card.home_store if card else ""),
                        safe_cell(", ".join(tags.get(row.customer_id, []))),
                        lifecycle.STAGES[row.stage].in_language(language) if row.stage in lifecycle.STAGES else "",
                        rfm.name(row.rfm_group, cutoffs).in_language(language) if row.rfm_group else "",
                        *("" if score is None else score for score in (row.r, row.f, row.m)),
                        row.orders,
                        money.major(row.net, own.currency),
                        "" if row.first_day is None else clock.day_of(row.first_day).isoformat(),
                        "" if row.last_day is None else clock.day_of(row.last_day).isoformat(),
                        (Text("yes", "是") if row.leaving else Text("no", "否")).in_language(language),
                        "" if row.p_alive is None else round(row.p_alive, 4),
                        "" if row.expected_value is None else money.major(row.expected_value, own.currency),
                    ]
                )
            done += len(page.rows)
            progress.report(done, total)
            after = page.after
            if after is None:
                break
    _without(half, customers.erased_since(begun))  # who was erased meanwhile
    half.replace(target)
    return {"file": target.name, "rows": done}


def forget_people(records: Collection[int]) -> int:
    """Take these customers out of the files that are there; how many rows went."""
    return sum(_without(path, records) for path in folder().glob("*.csv"))


def _without(path: Path, records: Collection[int]) -> int:
    gone, half = 0, path.with_suffix(".less")
    with path.open(encoding="utf-8-sig", newline="") as old, half.open("w", encoding="utf-8-sig", newline="") as new:
        out = csv.writer(new)
        for row in csv.reader(old):
            if row and row[0].isdigit() and int(row[0]) in records:
                gone += 1
            else:
                out.writerow(row)
    if not gone:
        half.unlink()
        return 0
    at = path.stat()
    os.utime(half, (at.st_atime, at.st_mtime))  # it goes when it would have gone
    half.replace(path)
    return gone


def forget_files(*, keep: timedelta = timedelta(days=7)) -> int:
    """Delete files written longer than `keep` ago: they hold personal data, also of people erased since; how many."""
    before, gone = (clock.now() - keep).timestamp(), 0
    for path in folder().glob("*"):
        if path.stat().st_mtime < before:
            path.unlink(missing_ok=True)
            gone += 1
    return gone


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: tuple(ends) for key, ends in value.items()}
    return tuple(value) if isinstance(value, list) else value


def with_tag(filters: Filters, tag: str) -> Filters:
    """Narrowed to the customers that have the tag."""
    return replace(filters, records=tuple(customers.tagged(tag)))


def exported(job_id: str, *, by: Actor) -> Path:
    """The file that a job wrote, for who started it or may see everybody's jobs. Raises NotFound."""
    by.require("customers.export")
    found = job_of(job_id, by=by)
    path = folder() / f"{found.id}.csv"
    if found.kind != KIND or not path.is_file():
        raise NotFound("export", Text("This file isn't there any more. Export again.", "文件已不存在，请重新导出。"))
    return path
