"""What customers will be worth, computed over many in parts."""

import duckdb
import pytest

from regulars.stats.purchases import BgNbd
from regulars.stats.value import GammaGamma
from regulars.warehouse import worth

MODEL = worth.Model(BgNbd(0.4, 60.0, 0.9, 2.1), GammaGamma(2.0, 3.0, 5000.0))
HISTORIES = """
    CREATE TABLE figures AS SELECT n AS customer_id, 1 + n % 7 AS visits, 100 + n % 31 AS first_day,
        130 + n % 31 + n % 53 AS last_day, 1000 + n * 37 % 9000 AS net FROM range(400) t(n)
"""


@pytest.mark.parametrize("model", [MODEL, worth.Model(MODEL.purchases)], ids=["with money", "without money"])
def test_many_customers_are_predicted_in_parts_as_all_at_once(
    model: worth.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    with duckdb.connect() as pen:
        pen.execute(HISTORIES)
        together = worth.predicted(pen, model, as_of=400)
        monkeypatch.setattr(worth, "TOGETHER", 50)
        monkeypatch.setattr(worth.os, "cpu_count", lambda: 3)
        parts = worth.predicted(pen, model, as_of=400)
    assert together.num_rows == 400
    assert parts.sort_by("customer_id").equals(together.sort_by("customer_id"))
    assert parts.column("customer_id").num_chunks == 3
