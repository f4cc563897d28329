import pytest

import regulars.analytics
from regulars.analytics import facts, metrics
from regulars.analytics.cutoffs import Cutoffs, Thresholds
from regulars.analytics.metrics import METRICS, month_ends
from regulars.catalog.registry import CATALOG


@pytest.mark.parametrize("key", METRICS)
def test_a_metric_says_what_it_means_in_both_languages(key: str) -> None:
    said = metrics.explained(key)
    assert key == "sales" or "Source: " in said.en
    assert key == "sales" or "数据来源：" in said.zh
    assert "  " not in said.en
    assert said.zh.startswith(METRICS[key].name.zh.split("（")[0])


def test_the_guide_lists_every_metric_with_its_columns() -> None:
    guide = " ".join((regulars.analytics.__doc__ or "").split())
    given = {
        "second_order": {"as_of": 1, "within": ()},
        "stage_flow": {"months": month_ends(1_000, 2), "cutoffs": Cutoffs(), "thresholds": Thresholds()},
    }
    for key, metric in METRICS.items():
        built = metric.build(**given.get(key, {}))
        assert f"{key}({', '.join(metric.parameters)})" in guide
        assert ", ".join(built.columns) in guide
        assert set(metric.keys) <= set(built.columns)


def test_events_that_are_no_sign_of_life_are_in_the_catalogue() -> None:
    assert set(facts.NOT_BY_CUSTOMER) <= set(CATALOG)
