"""What can go wrong in a way that a person or a calling program should be told about."""

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
