"""Every event: name, version, typed payload, typed columns, and when it is recorded. No database, no other events."""

from regulars.catalog.faults import Fault
from regulars.catalog.payloads import COMMON, GROUPS, Column, EventType, Payload
from regulars.catalog.registry import CATALOG, check, columns, names_of, parse, require, title

__all__ = [
    "CATALOG", "COMMON", "GROUPS", "Column", "EventType", "Fault", "Payload",
    "check", "columns", "names_of", "parse", "require", "title",
]  # fmt: skip
