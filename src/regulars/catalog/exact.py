"""From the model of a payload a narrower type that msgspec checks much faster: what it takes, the model takes.

The reverse doesn't hold (a number written as a text is for the model to judge), so a refusal means nothing.
"""

from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
from pydantic import BaseModel
from pydantic.fields import FieldInfo


@cache
def exact(model: type[BaseModel]) -> type[msgspec.Struct]:
    """The narrower type. Raises TypeError for a field whose type isn't known here."""
    hints = get_type_hints(model, include_extras=True)
    fields = [
        (name, _narrowed(hints[name]), ... if field.is_required() else field.default)
        for name, field in model.model_fields.items()
    ]
    return msgspec.defstruct(
        model.__name__,
        [(name, kind) if default is ... else (name, kind, default) for name, kind, default in fields],
        gc=False,
        kw_only=True,
    )


def _narrowed(kind: Any) -> Any:
    if kind is NoneType:
        return None
    if kind is str:
        return str | int | float  # Payload: coerce_numbers_to_str
    origin = get_origin(kind)
    if origin is Union or origin is UnionType:
        return Union[tuple(_narrowed(one) for one in get_args(kind))]  # noqa: UP007 (made of a tuple)
    if origin is list:
        return list[_narrowed(get_args(kind)[0])]  # type: ignore[misc]
    if origin is Annotated:
        base, *told = get_args(kind)
        if base in (int, Decimal) and len(told) == 1 and isinstance(told[0], FieldInfo):
            number = int if base is int else float
            return Annotated[number, _bounds(told[0])]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return exact(kind)
    raise TypeError(f"{kind} isn't known")


def _bounds(told: FieldInfo) -> msgspec.Meta:
    bounds: dict[str, Any] = {}
    for one in told.metadata:
        known = {sign: getattr(one, sign) for sign in ("ge", "le") if hasattr(one, sign)}
        if not known and getattr(one, "allow_inf_nan", None) is not False:
            raise TypeError(f"{one} isn't known")
        bounds |= known
    return msgspec.Meta(**bounds)
