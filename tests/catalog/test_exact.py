"""The quick check takes nothing that the model of a payload would refuse."""

import os
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from regulars import catalog
from regulars.catalog.exact import exact

_VALUES = st.one_of(
    st.none(), st.booleans(), st.text(max_size=3), st.integers(), st.floats(), st.just("12.5"), st.just(10**12),
    st.just(-(10**12) - 1), st.just(2**53 + 1), st.sampled_from([101, 100, 100.0, 0, -1, 3.5]),
    st.lists(st.integers(), max_size=1), st.just({}),
)  # fmt: skip
_ENTRIES = list(catalog.CATALOG.values())


@st.composite
def _payloads(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    entry = draw(st.sampled_from(_ENTRIES))
    names = [*entry.payload.model_fields, "more"]
    values: dict[str, Any] = draw(st.dictionaries(st.sampled_from(names), _VALUES, max_size=4))
    if "products" in names and draw(st.booleans()):
        line = st.dictionaries(st.sampled_from(["product_id", "price", "quantity", "position", "more"]), _VALUES)
        values["products"] = draw(st.lists(line, max_size=2))
    return entry.name, values


@given(_payloads())
@settings(max_examples=int(os.environ.get("REGULARS_EXAMPLES", 200)))
def test_what_the_quick_check_takes_the_model_takes_too(payload: tuple[str, dict[str, Any]]) -> None:
    name, properties = payload
    model = catalog.CATALOG[name].payload
    try:
        msgspec.convert(properties, exact(model))
    except msgspec.ValidationError:
        return
    model.model_validate(properties)


@given(_payloads())
@settings(max_examples=int(os.environ.get("REGULARS_EXAMPLES", 200)))
def test_a_fault_is_found_exactly_when_the_model_or_its_sense_finds_one(payload: tuple[str, dict[str, Any]]) -> None:
    name, properties = payload
    entry = catalog.CATALOG[name]
    try:
        payload = entry.payload.model_validate(properties)
    except ValidationError:
        assert catalog.check(name, properties, tracked=False) is not None
    else:
        fault = entry.sense(payload) if entry.sense is not None else None
        found = catalog.check(name, properties, tracked=False)
        assert (found and (found.code, found.field)) == (fault and (fault.code, fault.field))


@pytest.mark.parametrize(
    ("name", "properties"),
    [
        ("Product Viewed", {"product_id": "P-1", "price": 699, "quantity": 1.5, "position": 3, "size": ["L"]}),
        ("Order Completed", {"order_id": 17, "total": 12.5, "products": [{"sku": "S-1", "price": 3}]}),
        ("Page Viewed", {}),
    ],
    ids=["a product", "an order", "nothing"],
)
def test_plain_payloads_need_no_second_look(name: str, properties: dict[str, Any]) -> None:
    msgspec.convert(properties, exact(catalog.CATALOG[name].payload))
