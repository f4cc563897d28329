"""How often one may try to log in, counted in the database: for all processes together, and across a restart."""

from datetime import timedelta
from hashlib import sha256

from django.db import transaction
from django.db.models import F, Q

from regulars.accounts.models import LoginCount
from regulars.kernel import clock
from regulars.kernel.errors import Problem
from regulars.kernel.languages import Text

WINDOW = timedelta(minutes=15)
LIMIT_OF_PAIR, LIMIT_OF_ADDRESS, LIMIT_OF_EMAIL = 8, 60, 60


class TooMany(Problem):
    status = 429


def _keys(email: str, address: str) -> dict[str, int]:
    name = sha256(email.strip().lower().encode()).hexdigest()[:32]
    where = sha256(address.encode()).hexdigest()[:32]
    return {f"{name}:{where}": LIMIT_OF_PAIR, f"from:{where}": LIMIT_OF_ADDRESS, f"of:{name}": LIMIT_OF_EMAIL}


def begin(*, email: str, address: str) -> None:
    """Count an attempt before the password is looked at, so that many at once don't pass together. Raises TooMany
    beyond 8 failures for one account from one place, or 60 from one place or for one account, in a quarter of an hour.
    """
    keys, now = _keys(email, address), clock.now()
    with transaction.atomic():
        rows = LoginCount.objects.filter(key__in=keys)
        # Much later than a window from now: set by a clock that ran ahead. Not `> now + WINDOW`: others at the same
        # time have set it a moment later than our `now`, and would be forgotten.
        rows.filter(Q(until__lte=now) | Q(until__gt=now + 2 * WINDOW)).update(count=0, until=now + WINDOW)
        fresh = [LoginCount(key=key, count=0, until=now + WINDOW) for key in keys]
        LoginCount.objects.bulk_create(fresh, ignore_conflicts=True)
        # Always in the same order, so that two of them don't wait for each other on PostgreSQL.
        for key in sorted(keys):
            LoginCount.objects.filter(key=key).update(count=F("count") + 1)
        counted = dict(rows.values_list("key", "count"))
    if any(counted.get(key, 0) > limit for key, limit in keys.items()):
        raise TooMany(
            "too_many",
            Text("Too many attempts. Wait a quarter of an hour and try again.", "尝试次数过多，请 15 分钟后再试。"),
        )


def succeeded(*, email: str, address: str) -> None:
    """The pair's count begins again; of the place's and the account's this attempt is taken back."""
    pair, *others = _keys(email, address)
    with transaction.atomic():
        LoginCount.objects.filter(key=pair).delete()
        for key in sorted(others):
            LoginCount.objects.filter(key=key, count__gt=0).update(count=F("count") - 1)


def forget() -> int:
    """Delete counts that have run out; how many."""
    return LoginCount.objects.filter(until__lte=clock.now()).delete()[0]
