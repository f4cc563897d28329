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
