"""How saved views go with the person whom they look for."""

from urllib.parse import parse_qsl

from regulars.console.models import SavedView
from regulars.customers.services import Person


def erase(person: Person) -> int:
    """Delete the saved views that name the person; how many."""
    found = [
        view.pk
        for view in SavedView.objects.only("id", "name", "query").iterator()
        if person.named_in(view.name) or any(person.named_in(value) for _, value in parse_qsl(view.query.lstrip("?")))
    ]
    return SavedView.objects.filter(id__in=found).delete()[0]
