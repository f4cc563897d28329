"""The two languages of the product, for everything that isn't a template (templates use gettext)."""

from contextvars import ContextVar
from dataclasses import dataclass
from string import Formatter
from typing import Any, Literal

Language = Literal["zh-hans", "en"]
LANGUAGES: tuple[Language, ...] = ("zh-hans", "en")
NAMES: dict[Language, str] = {"zh-hans": "简体中文", "en": "English"}

_current: ContextVar[Language] = ContextVar("language", default="zh-hans")


def use(language: str) -> None:
    """Make this the language of what follows in the present context (a request, a command)."""
    _current.set(closest(language))


def current() -> Language:
    return _current.get()


def closest(wanted: str) -> Language:
    """The language of ours that an Accept-Language header, a locale or a code asks for first; English if none."""
    for part in wanted.replace(";", ",").split(","):
        code = part.strip().lower().replace("_", "-")
        if code.startswith("zh"):
            return "zh-hans"
        if code.startswith("en"):
            return "en"
    return "en"


class _Filling(Formatter):
    """As str.format, but {n:one|many} is a word: the first for a number that reads as 1, else the second."""

    def format_field(self, value: Any, format_spec: str) -> str:
        one, several, many = format_spec.partition("|")
        if not several:
            return format(value, format_spec)
        return one if str(value) == "1" else many


_filling = _Filling()


@dataclass(frozen=True, slots=True)
class Text:
    """A sentence in both languages; `str()` gives the one in use."""

    en: str
    zh: str

    def in_language(self, language: str) -> str:
        return self.zh if language.lower().startswith("zh") else self.en

    def __str__(self) -> str:
        return self.in_language(current())

    def filled(self, **values: object) -> "Text":
        """Both sentences with {names} replaced; a value that is a Text is put in its own language. English words that
        go with a number stand beside it in both forms: "{n} {n:customer is|customers are} in".
        """

        def put(pattern: str, language: str) -> str:
            said = {k: v.in_language(language) if isinstance(v, Text) else v for k, v in values.items()}
            return _filling.vformat(pattern, (), said)

        return Text(en=put(self.en, "en"), zh=put(self.zh, "zh-hans"))
