"""A toy belonging: points that travel along a merge and back as decision 12 says, by reading alone."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from regulars.customers import queries
from regulars.customers.services import merge, unmerge

Comes = Callable[..., int]


@dataclass
class Purse:
    """Entries of points: (record, amount). A table with a foreign key to the record, in the small."""

    entries: list[tuple[int, int]] = field(default_factory=list)

    def of_record(self, record: int) -> int:
        return sum(amount for owner, amount in self.entries if owner == record)

    def balance(self, customer: int) -> int:
        return sum(self.of_record(record) for record in queries.members(customer))

    def earn(self, record: int, amount: int) -> None:
        self.entries.append((record, amount))

    def spend(self, customer: int, amount: int) -> None:
        """From the record with the oldest points first; one entry for each that gives."""
        assert 0 < amount <= self.balance(customer)
        for record in sorted(queries.members(customer)):
            taken = min(amount, self.of_record(record))
            if taken:
                self.entries.append((record, -taken))
                amount -= taken


def test_points_come_along_with_a_merge_and_go_back_less_what_was_spent(comes: Comes, actors: dict[str, Any]) -> None:
    first, second = comes("user_id=u1"), comes("user_id=u2")
    purse = Purse()
    purse.earn(first, 100)
    purse.earn(second, 40)
    made = merge(source=second, target=first, by=actors["manager"])
    assert purse.balance(first) == purse.balance(second) == 140
    purse.earn(comes("user_id=u2", 5), 10)  # during the merge, by the second's own identity
    purse.spend(first, 120)
    assert purse.balance(first) == 30
    unmerge(merge_id=made, by=actors["manager"])
    assert (purse.balance(first), purse.balance(second)) == (0, 30)
    again = merge(source=first, target=second, by=actors["manager"])
    assert purse.balance(first) == 30
    unmerge(merge_id=again, by=actors["manager"])
    assert (purse.balance(first), purse.balance(second)) == (0, 30)
