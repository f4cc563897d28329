import re

import pytest

import regulars.analytics
from regulars.analytics import metrics
from regulars.analytics.cutoffs import Cutoffs, Thresholds
from regulars.analytics.metrics import METRICS, month_ends


@pytest.mark.parametrize("key", METRICS)
def test_a_metric_says_what_it_means_in_both_languages(key: str) -> None:
    said = metrics.explained(key)
    assert key == "sales" or "Source: " in said.en
    assert key == "sales" or "数据来源：" in said.zh
    assert "  " not in said.en
    assert said.zh.startswith(METRICS[key].name.zh.split("（")[0])


@pytest.mark.parametrize("key", METRICS)
def test_a_definition_is_said_in_words_without_names_of_columns(key: str) -> None:
    said = metrics.explained(key)
    assert not re.search(r"[{}_]", said.en + said.zh)
    plain = re.sub(r"Hughes|Reichheld|Net Promoter Score", "", said.zh)
    assert not [word for word in re.findall(r"[A-Za-z]+", plain) if word not in {"R", "F", "M", "RFM", "NPS", "CSAT"}]


def test_a_definition_says_the_numbers_in_force() -> None:
    own = Cutoffs(
        rfm="fixed", churn_silent_days=61, churn_spend_percent=23, overdue_percent=150, dormant_percent=250,
        lost_percent=500, own_rhythm_visits=5,
    )  # fmt: skip
    for language in ("en", "zh-hans"):
        warned, usually = (metrics.explained("warnings", c).in_language(language) for c in (own, Cutoffs()))
        assert {"61", "23", "5", "1.5"} <= set(re.findall(r"[\d.]*\d", warned))
        assert {"90", "40", "3", "2"} <= set(re.findall(r"[\d.]*\d", usually))
        stages = metrics.explained("stages", own).in_language(language)
        assert set(re.findall(r"[\d.]*\d", stages)) == {"2.5", "30", "5", "90", "7", "365"}
        cuts = [metrics.explained("rfm_matrix", c).in_language(language) for c in (own, Cutoffs())]
        assert ["80" in text for text in cuts] == [False, True]


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
