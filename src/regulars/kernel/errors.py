"""What can go wrong in a way that a person or a calling program should be told about."""

import errno

from regulars.kernel.languages import Text


class Problem(Exception):
    """An error for the user: `code` for programs, `text` says what is wrong and what to do, `field` where.

    Doors turn it into a message at the field or problem+json with `status`; it is never a stack trace.
    """

    status = 400

    def __init__(self, code: str, text: Text, *, field: str | None = None) -> None:
        super().__init__(code)
        self.code, self.text, self.field = code, text, field

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


class Unavailable(Problem):
    """It can't be done now; later the same may go."""

    status = 503


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
