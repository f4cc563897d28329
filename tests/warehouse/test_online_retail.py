"""The yardstick: half a million lines of a real wholesaler, with their dirt, by the commands that people give."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FILE = Path(
    os.environ.get(
        "REGULARS_ONLINE_RETAIL",
        Path(__file__).parents[3] / "shared" / "data" / "online_retail" / "online_retail_uci352.csv.gz",
    )
)


@pytest.mark.alone
@pytest.mark.skipif(not FILE.exists(), reason="the file isn't part of the project: REGULARS_ONLINE_RETAIL names it")
def test_the_real_file_gives_its_known_figures(tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_bytes(gzip.decompress(FILE.read_bytes()))
    environment = {**os.environ, "REGULARS_HOME": str(tmp_path / "home"), "PYTHONPATH": "src"}
    environment.pop("REGULARS_DATABASE_URL", None)

    def regulars(*arguments: str) -> str:
        command = [sys.executable, "-m", "regulars", *arguments]
        return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout

    regulars("import", "orders", str(file))
    told: dict[str, Any] = json.loads(regulars("figures", "--json"))
    assert told["gross"] == {"lines": 397_884, "orders": 18_532, "customers": 4_338, "revenue": "8911407.90"}
    # all rows with a customer, as they stand: the sum of quantity times price over the raw file
    assert (told["net"]["net_revenue"], told["net"]["customers"]) == ("8300065.81", 4_372)
    assert (told["since"], told["until"], told["as_of"]) == ("2010-12-01", "2011-12-09", "2011-12-10")
    assert sum(told["rejected"].values()) == 1_338
    assert sum(told["rfm_groups"].values()) == 4_338
    assert sum(told["stages"].values()) == 4_372
