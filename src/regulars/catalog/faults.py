"""What is wrong with an event, said so that the person who sent it can put it right."""

from dataclasses import dataclass

from regulars.kernel.languages import Text


@dataclass(frozen=True, slots=True)
class Fault:
    """`code` for programs and grouping, `field` the path in the properties ("products.0.price"), `text` for people."""

    code: str
    field: str
    text: Text
