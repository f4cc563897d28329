"""A program with an API key: asks, and says what it was answered."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from regulars.accounts.actors import SYSTEM
from regulars.accounts.capabilities import CAPABILITIES
from regulars.accounts.services import add_api_key
from regulars.api import limits
from regulars.customers import memory


@pytest.fixture(autouse=True)
def fresh() -> None:
    memory.forget()
    limits._counts.clear()


class Program:
    """`get("/customers")`, `post("/customers", {...})` … : (status, body); the last response in `last`."""

    def __init__(self, scopes: list[str], language: str = "en") -> None:
        self.key, self.secret = add_api_key(name="shop", scopes=scopes, by=SYSTEM)
        self.client = Client(raise_request_exception=False)
        self.language = language

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        told = {"Authorization": f"Bearer {self.secret}", "Accept-Language": self.language, **headers}
        data = b"" if body is None else json.dumps(body).encode()
        self.last = self.client.generic(method, f"/api/v1{path}", data, "application/json", headers=told)
        return self.last.status_code, json.loads(self.last.content) if self.last.content else None

    def get(self, path: str, **headers: str) -> tuple[int, Any]:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        return self.ask("POST", path, body, **headers)


@pytest.fixture
def program(db: None, warehouse_home: None) -> Program:
    return Program(list(CAPABILITIES))


@pytest.fixture
def with_scopes(db: None, warehouse_home: None) -> Callable[..., Program]:
    return lambda *scopes, language="en": Program(list(scopes), language)


@pytest.fixture
def warehouse_home(home: Any) -> Any:
    """A warehouse of its own, closed afterwards."""
    from regulars.warehouse import engine

    engine.close()
    yield
    engine.close()
