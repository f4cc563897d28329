"""Definitions are compiled for whatever days: putting a day in afterwards says the same as compiling for it."""

import inspect
from typing import Any

import pytest

from regulars.analytics import engines, facts, scores
from regulars.analytics.cutoffs import Cutoffs, Thresholds
from regulars.analytics.metrics import METRICS, month_ends

AS_OF, SINCE, UNTIL = 20_634, 20_000, 20_600
REFRESHED = {
    "figures": (scores.figures, {"cutoffs": Cutoffs()}),
    "figures of some": (scores.figures, {"cutoffs": Cutoffs(), "only": facts.CONCERNED}),
    "carried": (scores.carried, {"cutoffs": Cutoffs()}),
    "visits": (facts.visits, {}),
}


@pytest.mark.parametrize("key", METRICS)
def test_a_metric_of_other_days_is_the_same_text(key: str) -> None:
    build = METRICS[key].build
    named = {
        "as_of": AS_OF, "since": SINCE, "until": UNTIL, "by": "product", "cutoffs": Cutoffs(),
        "thresholds": Thresholds(), "months": month_ends(AS_OF, 3),
    }  # fmt: skip
    given = {name: named[name] for name in inspect.signature(build).parameters if name in named}
    assert engines.sql(build, **given) == engines.compiled(build(**given))


@pytest.mark.parametrize("name", REFRESHED)
def test_so_are_the_definitions_of_a_refresh(name: str) -> None:
    build: Any
    build, given = REFRESHED[name]
    compiled = engines._text.cache_info().misses
    for day in (AS_OF, AS_OF + 1):
        assert engines.sql(build, as_of=day, **given) == engines.compiled(build(as_of=day, **given))
    assert engines._text.cache_info().misses <= compiled + 1
