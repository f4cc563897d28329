"""Nothing is remembered from one test to the next."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from regulars.customers import memory
from regulars.customers.services import Claim, resolve

MONDAY = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def fresh_memory() -> Iterator[None]:
    memory.forget()
    yield


@pytest.fixture
def comes(db: None) -> Callable[..., int]:
    """`comes("user_id=u1 phone=13800138000", minutes=5, name="…")`: resolve one claim, the record's id."""

    def come(who: str, minutes: int = 0, **traits: Any) -> int:
        keys = tuple((kind, value) for kind, _, value in (part.partition("=") for part in who.split()))
        (record,) = resolve([Claim(keys, traits, MONDAY + timedelta(minutes=minutes))])
        assert record is not None
        return record

    return come
