"""Which language a person speaks: one tag for each (BCP 47, as zh-Hans or en-GB), and its name for whoever reads it.

Pure. The two languages of the product itself are kernel.languages.
"""

import re
from functools import cache, lru_cache

from babel import Locale, UnknownLocaleError

from regulars.kernel.languages import Text

FAULT = Text("Give the language as a tag, such as zh-Hans, en or en-GB.", "请填写语言代码，例如 zh-Hans、en 或 en-GB。")
OFTEN = (
    "zh-Hans", "zh-Hant", "yue", "en", "ja", "ko", "fr", "de", "es", "pt", "it", "ru", "ar", "hi", "id", "ms", "th",
    "vi",
)  # fmt: skip
"""Offered first."""
_TAG = re.compile(
    r"(?P<language>[a-z]{2,3})(-[a-z]{3}){0,3}(-(?P<script>[a-z]{4}))?(-(?P<region>[a-z]{2}|[0-9]{3}))?"
    r"(-([a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*(-[0-9a-wyz](-[a-z0-9]{2,8})+)*(-x(-[a-z0-9]{1,8})+)?",
    re.IGNORECASE | re.ASCII,
)
_NOBODYS = frozenset({"mul", "root", "und", "zxx"})


@cache
def _locale(reader: str) -> Locale:
    return Locale.parse("zh_Hans" if reader.startswith("zh") else "en")


@lru_cache(maxsize=10_000)
def tag(text: str) -> str | None:
    """The one spelling of a language's tag (zh_hans_cn is zh-Hans-CN), None for what is no language."""
    plain = text.replace("_", "-")
    found, known = _TAG.fullmatch(plain), _locale("en")
    if found is None:
        return None
    language, script, region = ((found[part] or "").lower() for part in ("language", "script", "region"))
    if language in _NOBODYS or language not in known.languages:
        return None
    if (script and script.title() not in known.scripts) or (region and region.upper() not in known.territories):
        return None
    parts = plain.lower().split("-")
    for place, part in enumerate(parts[1:], 1):
        if len(part) == 1:  # extensions stay in small letters
            break
        if part == script:
            parts[place] = part.title()
        elif part == region:
            parts[place] = part.upper()
    return "-".join(parts)


@lru_cache(maxsize=2_000)
def named(tag: str, reader: str) -> str:
    """What a tag is called in the language of its reader; the tag itself where that isn't known."""
    locale = _locale(reader)
    found = locale.languages.get(tag.replace("-", "_"))
    if found:
        return str(found)
    try:
        return Locale.parse(tag, sep="-").get_display_name(locale) or tag
    except (ValueError, UnknownLocaleError):
        return tag


@cache
def choices(reader: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(tag, name) of the languages asked for often, and of the others with a code of two letters, by name."""
    often = [(tag, named(tag, reader)) for tag in OFTEN]
    others = [(tag, str(name)) for tag, name in _locale(reader).languages.items() if len(tag) == 2]
    others = [(tag, name) for tag, name in others if tag not in OFTEN and tag != "zh"]
    return often, sorted(others, key=lambda pair: pair[1].casefold())
