import re
from pathlib import Path

import pytest

from regulars.kernel.languages import Text, closest, use


@pytest.mark.parametrize(
    ("wanted", "language"),
    [("zh-CN,zh;q=0.9,en;q=0.8", "zh-hans"), ("en-GB,en", "en"), ("fr,zh;q=0.5", "zh-hans"), ("fr", "en"), ("zh_CN.UTF-8", "zh-hans")],
)  # fmt: skip
def test_the_closest_of_our_languages_is_taken(wanted: str, language: str) -> None:
    assert closest(wanted) == language


def test_a_text_speaks_the_language_in_use_also_in_what_fills_it() -> None:
    text = Text("Nothing in {where}.", "{where}里没有内容。").filled(where=Text("the store", "门店"))
    use("zh-hans")
    assert str(text) == "门店里没有内容。"
    assert text.in_language("en") == "Nothing in the store."


def test_english_words_go_with_their_number() -> None:
    said = Text("{n} {n:customer is|customers are} in; {m:,} {m:note|notes}", "{n} 位客户，{m:,} 条备注")
    assert str(said.filled(n="1", m=1200).en) == "1 customer is in; 1,200 notes"
    assert said.filled(n=0, m=1).en == "0 customers are in; 1 note"
    assert said.filled(n="1,001", m=1).zh == "1,001 位客户，1 条备注"


def test_no_sentence_says_one_customers() -> None:
    counted = re.compile(
        r"\{(?!most|\w+:\w+\|)\w+(:,)?\} (\w+ )?(customers|notes|events|orders|rows|days|people|seconds)\b(?!\|)"
    )
    found = {}
    for path in Path("src/regulars/console").rglob("*.py"):
        if lines := [line.strip() for line in path.read_text().splitlines() if '"' in line and counted.search(line)]:
            found[path.name] = lines
    assert found == {}
