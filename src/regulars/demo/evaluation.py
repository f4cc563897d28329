"""Does the system find what was planted? Plain questions to the warehouse, held against the world's truths."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from regulars.demo import chain
from regulars.demo.loading import truths_file
from regulars.kernel import clock
from regulars.kernel.errors import NotFound
from regulars.kernel.languages import Text
from regulars.warehouse import engine


@dataclass(frozen=True, slots=True)
class Finding:
    """`precision`: the share of what was found that was planted; `recall`: of what was planted that was found. None
    where nothing was found or planted."""

    what: Text
    planted: int
    found: int
    hits: int

    @property
    def precision(self) -> float | None:
        return self.hits / self.found if self.found else None

    @property
    def recall(self) -> float | None:
        return self.hits / self.planted if self.planted else None


_GONE = """SELECT customer_id FROM scores WHERE orders > 0 AND (warned OR stage IN ('dormant', 'lost'))"""
_MINE = """
    SELECT r.customer_id, e.day, e.amount, json_extract_string(e.properties, '$.coupon') IS NOT NULL AS coupon
    FROM events e JOIN records r USING (record_id) WHERE e.name = 'Order Completed' AND e.order_id LIKE 'O%'
"""
_THRIFTY = "SELECT customer_id FROM mine GROUP BY 1 HAVING count(*) >= 4 AND avg(coupon::INT) >= 0.3"
_WEEKLY = """
    SELECT customer_id FROM (SELECT customer_id, (day + 3) % 7 AS weekday, count(*) AS n FROM mine GROUP BY 1, 2)
    GROUP BY 1 HAVING sum(n) >= 6 AND max(n) >= 0.8 * sum(n)
"""
_CHOOSY = """
    SELECT r.customer_id FROM lines l JOIN records r USING (record_id) WHERE paid AND product_id LIKE 'T%'
    GROUP BY 1 HAVING count(*) >= 4 AND avg(percentile) >= 0.6
"""
_RANKED = "(SELECT *, percent_rank() OVER (PARTITION BY category ORDER BY amount / quantity) AS percentile FROM lines)"
_WORST = """
    SELECT store FROM events WHERE store IS NOT NULL AND name IN ('Order Completed', 'Complaint Filed') GROUP BY 1
    ORDER BY count(*) FILTER (name = 'Complaint Filed') / greatest(count(*) FILTER (name = 'Order Completed'), 30) DESC
    LIMIT 1
"""
_PEAKS = """
    SELECT category, month % 12 FROM lines WHERE paid AND category IS NOT NULL GROUP BY 1, 2
    QUALIFY row_number() OVER (PARTITION BY category ORDER BY count(*) DESC, month % 12) = 1
"""


def loaded() -> list[Finding]:
    """Of the world that was loaded into this data folder. Raises NotFound when none was."""
    file = truths_file()
    if not file.exists():
        raise NotFound(
            "no_demo",
            Text(
                "No made-up world was loaded here. Load one with: regulars demo",
                "这里还没有载入演示数据。请先运行：regulars demo",
            ),
        )
    told = json.loads(file.read_text(encoding="utf-8"))
    return findings(told["truths"], told["records"])


def findings(truths: Mapping[str, Any], records: Mapping[str, int]) -> list[Finding]:
    """What was planted against what the warehouse says. `records` by the key of the customer."""
    root = dict(engine.read("SELECT record_id, customer_id FROM records"))
    last = clock.day_number(date.fromisoformat(truths["last_day"]))
    known = set(records.values())

    def planted(keys: list[str]) -> set[int]:
        return {root[records[key]] for key in keys if records.get(key) in root}

    def asked(sql: str) -> set[int]:
        return {root.get(id, id) for (id,) in engine.read(f"WITH mine AS ({_MINE}) {sql}") if id in known}

    leaving = truths["leaving"]
    silent = [
        key
        for key, day in zip(leaving["customers"], leaving["silent_from"], strict=True)
        if clock.day_number(date.fromisoformat(day)) <= last
    ]
    buyers = {root.get(id, id) for (id,) in engine.read("SELECT customer_id FROM scores WHERE orders > 0")}
    people = (
        (Text("Gone or about to go (stage dormant or lost, or warned)", "已经或即将流失（沉睡、流失或预警）"),
         planted(silent) & buyers, asked(_GONE)),
        (Text("Price-sensitive (coupons in 30 % of four orders or more)", "价格敏感（至少四单，三成以上用券）"),
         planted(truths["price_sensitive"]) & buyers, asked(_THRIFTY)),
        (Text("Quality-oriented (dearest goods of their category)", "品质导向（偏好同类中高价商品）"),
         planted(truths["quality_oriented"]) & buyers, asked(_CHOOSY.replace("lines l", f"{_RANKED} l"))),
        (Text("Come every week on their day", "每周固定日到店"), planted(truths["weekly"]["customers"]) & buyers,
         asked(_WEEKLY)),
    )  # fmt: skip
    out = [Finding(what, len(true), len(found), len(true & found)) for what, true, found in people]
    worst = [store for (store,) in engine.read(_WORST)]
    out.append(
        Finding(Text("The bad store (most complaints per order)", "问题门店（每单投诉最多）"), 1, len(worst),
                int(worst == [truths["bad_store"]]))
    )  # fmt: skip
    peaks = dict(engine.read(_PEAKS))
    seasonal = [c for c in chain.CATEGORIES if c.swing > 0]
    hits = sum(_apart(peaks[c.name], int((c.peak - 1) / 30.44)) <= 1 for c in seasonal if c.name in peaks)
    out.append(
        Finding(Text("Seasons of categories (best month, give or take one)", "品类旺季（最旺月份，前后一个月内）"),
                len(seasonal), sum(c.name in peaks for c in seasonal), hits)
    )  # fmt: skip
    return out


def _apart(month: int, other: int) -> int:
    return min((month - other) % 12, (other - month) % 12)
