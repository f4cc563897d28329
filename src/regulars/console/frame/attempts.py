"""How often one may try to log in. Counted in the process's memory: a restart forgives, which is harmless here."""

from contextlib import suppress
from hashlib import sha256

from django.core.cache import cache

from regulars.kernel.errors import Problem
from regulars.kernel.languages import Text

WINDOW = 15 * 60
LIMIT_OF_PAIR, LIMIT_OF_ADDRESS, LIMIT_OF_EMAIL = 8, 60, 60


class TooMany(Problem):
    status = 429


def _keys(email: str, address: str) -> dict[str, int]:
    name = sha256(email.strip().lower().encode()).hexdigest()[:32]
    where = sha256(address.encode()).hexdigest()[:32]
    return {
        f"login:{name}:{where}": LIMIT_OF_PAIR,
        f"login:address:{where}": LIMIT_OF_ADDRESS,
        f"login:email:{name}": LIMIT_OF_EMAIL,
    }


def allow(*, email: str, address: str) -> None:
    """Raise TooMany after 8 failures for one account from one place, or 60 from one place or for one account."""
    keys = _keys(email, address)
    counted = cache.get_many(keys)
    if any(counted.get(key, 0) >= limit for key, limit in keys.items()):
        raise TooMany(
            "too_many",
            Text("Too many attempts. Wait a quarter of an hour and try again.", "尝试次数过多，请 15 分钟后再试。"),
        )


def failed(*, email: str, address: str) -> None:
    for key in _keys(email, address):
        if not cache.add(key, 1, WINDOW):
            with suppress(ValueError):  # it ran out just now
                cache.incr(key)


def succeeded(*, email: str, address: str) -> None:
    """The pair's count begins again; the place's and the account's run on."""
    cache.delete(next(iter(_keys(email, address))))
