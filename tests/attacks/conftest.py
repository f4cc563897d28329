"""Every door of the console, found in its addresses, so that a new one is attacked too."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver


@dataclass(frozen=True)
class Door:
    """`address` takes its numbers and texts by format: {id}, {message_id} …"""

    address: str
    names: tuple[str, ...]
    numbers: frozenset[str]
    view: Callable[..., Any]

    def at(self, *, number: object = 1, text: object = "x") -> str:
        return self.address.format(**{name: number if name in self.numbers else text for name in self.names})

    def __str__(self) -> str:
        return self.address


def doors() -> list[Door]:
    """All of the console; the JSON API has keys instead of people and tests of its own."""
    return [door for door in _doors(get_resolver()) if not door.address.startswith("/api")]


def _doors(resolver: Any, before: str = "/") -> Iterator[Door]:
    for one in resolver.url_patterns:
        address = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from _doors(one, address)
        elif isinstance(one, URLPattern):
            parts = address.replace("<", "{").replace(">", "}").split("{")
            names, numbers, plain = [], set(), parts[0]
            for part in parts[1:]:
                inside, _, rest = part.partition("}")
                kind, _, name = inside.rpartition(":")
                names.append(name)
                if kind == "int":
                    numbers.add(name)
                plain += "{" + name + "}" + rest
            yield Door(plain, tuple(names), frozenset(numbers), one.callback)


@pytest.fixture
def come_in(people: dict[str, Any], home: Path) -> Callable[..., Client]:
    """`come_in(role)`: a client of somebody of this role, who has logged in. A fault of ours is an answer of 500."""

    def client(role: str, **options: Any) -> Client:
        headers = {"Accept-Language": "en"} | options.pop("headers", {})
        made = Client(raise_request_exception=False, headers=headers, **options)
        made.force_login(people[role])
        return made

    return client
