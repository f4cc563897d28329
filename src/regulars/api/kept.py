"""How answers that are kept for requests with an Idempotency-Key go: after a day, or with the person they name."""

from datetime import timedelta

from regulars.api.models import StoredAnswer
from regulars.customers.services import Person
from regulars.kernel import clock

KEPT = timedelta(hours=24)


def forget() -> int:
    """Delete those older than a day; how many."""
    return StoredAnswer.objects.filter(at__lt=clock.now() - KEPT).delete()[0]


def erase(person: Person) -> int:
    """Empty those that name the person; the request stays known, so that it isn't done again. How many."""
    rows = StoredAnswer.objects.values_list("id", "body").iterator()
    return StoredAnswer.objects.filter(id__in=[id for id, body in rows if person.named_in(body)]).update(body="{}")
