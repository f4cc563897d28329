"""The two languages of the product, for everything that isn't a template (templates use gettext)."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

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
        """Both sentences with {names} replaced; a value that is a Text is put in its own language."""

        def put(pattern: str, language: str) -> str:
            said = {k: v.in_language(language) if isinstance(v, Text) else v for k, v in values.items()}
            return pattern.format(**said)

        return Text(en=put(self.en, "en"), zh=put(self.zh, "zh-hans"))
