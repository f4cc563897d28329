"""The people who work in the made-up chain: one of each role, to look at the console with their eyes.

Their password is public, so they are added to a folder without any staff only: never beside real people.
"""

from regulars.accounts import queries, services
from regulars.accounts.actors import Actor
from regulars.kernel.languages import Text

PASSWORD = "demo-regulars"  # noqa: S105 (meant to be known)
STAFF: dict[str, tuple[str, Text]] = {
    "admin": ("demo@example.com", Text("Lin Xiao", "林晓")),
    "manager": ("manager@example.com", Text("Chen Jie", "陈洁")),
    "marketer": ("marketer@example.com", Text("Zhou Min", "周敏")),
    "agent": ("agent@example.com", Text("Wu Hao", "吴昊")),
    "store": ("store@example.com", Text("Sun Li", "孙丽")),
    "analyst": ("analyst@example.com", Text("He Yu", "何宇")),
}
BUSINESS = Text("Qinghe Tea", "清禾茶养")


def employ(*, by: Actor) -> bool:
    """Add them, and name the business, unless somebody works here already; True when they were added."""
    if queries.staff().exists():
        return False
    for role, (email, name) in STAFF.items():
        services.add_staff(email=email, name=str(name), role=role, password=PASSWORD, by=by)
    if not queries.business().version:
        services.change_settings(name=str(BUSINESS), by=by)
    return True


def logins() -> list[str]:
    """The addresses that log in with the demo's password, the admin first; none in a folder of a real business."""
    known = set(queries.staff().filter(is_active=True).values_list("email", flat=True))
    return [email for email, _ in STAFF.values() if email in known]
