"""What can go wrong in a way that a person or a calling program should be told about."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from regulars.kernel.languages import Text


class Problem(Exception):
    """An error for the user: `code` for programs, `text` says what is wrong and what to do, `field` where.

    Doors turn it into a message at the field or problem+json with `status`; it is never a stack trace. `others` are
    wrong besides, at other fields of the same form.
    """

    status = 400

    def __init__(self, code: str, text: Text, *, field: str | None = None) -> None:
        super().__init__(code)
        self.code, self.text, self.field = code, text, field
        self.others: tuple[Problem, ...] = ()

    def at(self, field: str) -> "Problem | None":
        """What is wrong with this field."""
        return next((one for one in (self, *self.others) if one.field == field), None)

    def __str__(self) -> str:
        return f"{self.code}: {self.text.en}"


class Invalid(Problem):
    """The input can't be taken as it is."""

    status = 422


class Forbidden(Problem):
    """The actor's role doesn't allow it."""

    status = 403


class NotFound(Problem):
    status = 404


class Conflict(Problem):
    """It contradicts the present state."""

    status = 409


class Outdated(Conflict):
    """It was asked for on the condition that nothing had changed, but something has (RFC 9110, If-Match)."""

    status = 412


class Unavailable(Problem):
    """It can't be done now; later the same may go."""

    status = 503


class Faults:
    """What is wrong with the fields of a form, to be told all at once instead of one after the other."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Around the check of one field, or of several: what it raises waits for `tell`."""
        try:
            yield
        except Problem as problem:
            if problem.field is None:
                raise
            self._found += [problem, *problem.others]
            problem.others = ()

    def tell(self) -> None:
        """Raise the first that was caught, with the others."""
        if self._found:
            first, *others = self._found
            first.others = tuple(others)
            raise first


def no_room(error: BaseException | None) -> Unavailable | None:
    """What to tell somebody when an error of a file or a database, or one behind it, says that the disk is full."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        # SQLite's words, and those of the system in an error of DuckDB or PostgreSQL: neither gives a number.
        if full or any(words in str(error) for words in ("disk is full", "No space left on device", "quota exceeded")):
            return Unavailable(
                "disk_full",
                Text(
                    "The disk of the server is full, so this couldn't be saved. Make room on it, then try again; "
                    "nothing has to be restarted.",
                    "服务器磁盘已满，未能保存。请清理磁盘空间后重试，无需重启服务。",
                ),
            )
        error = error.__cause__ or error.__context__
    return None
