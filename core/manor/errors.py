"""Errors that are meant to be read: by an admin, or by a client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import msgspec


class ManorError(Exception):
    """An error whose text is the whole message: no traceback helps its reader."""


class Problem(msgspec.Struct, frozen=True):
    """One thing an admin has to mend: where it stands ("" when the text says so itself), and what is wrong with it."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


class AdminFault(ManorError):
    """The start is refused; all problems are listed at once. Exit code 78 (EX_CONFIG)."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class Faults:
    """Gathers what several steps refuse, so that an admin hears all of it at once.

    Attributes:
        problems: What was gathered so far, each once.
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, problems: Iterable[Problem]) -> None:
        """Note problems; those that are known already are not told twice."""
        self.problems += [problem for problem in problems if problem not in self.problems]

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Note an `AdminFault` of what runs within, and go on after it."""
        try:
            yield
        except AdminFault as fault:
            self.add(fault.problems)

    def tell(self) -> None:
        """Refuse when there was anything.

        Raises:
            AdminFault: With all of it.
        """
        if self.problems:
            raise AdminFault(self.problems)


class FieldProblem(msgspec.Struct, frozen=True):
    """One member of a request that cannot be taken; `field` is its path, such as `tags[2]`."""

    field: str
    message: str


class Refused(ManorError):
    """A request that is answered with an error; the API's dialect decides how it looks.

    Args:
        detail: One sentence for a person.
        code: A stable word for a program, where the dialect has a place for one.
        headers: Headers that go with the answer.
        errors: The members that were wrong, where the dialect lists them.
        extra: Further members for the body, where the dialect has room for them.
    """

    status: ClassVar[int] = 400

    def __init__(
        self,
        detail: str,
        *,
        code: str = "",
        headers: Mapping[str, str] | None = None,
        errors: Sequence[FieldProblem] = (),
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.headers = dict(headers or {})
        self.errors = tuple(errors)
        self.extra = dict(extra or {})


class BadRequest(Refused):
    """400: the request cannot be understood."""


class Unauthorized(Refused):
    """401: a credential is missing, unknown, expired or revoked."""

    status = 401


class Forbidden(Refused):
    """403: the credential is good and not enough."""

    status = 403


class NotFound(Refused):
    """404: there is no such thing, or the caller may not know that there is."""

    status = 404


class MethodNotAllowed(Refused):
    """405: the path is known, the method is not; carries `Allow`."""

    status = 405


class RequestTimeout(Refused):
    """408: the client promised a body and did not send it in time."""

    status = 408


class Conflict(Refused):
    """409: the thing is there already, or has changed."""

    status = 409


class TooLarge(Refused):
    """413: the body is over its limit."""

    status = 413


class UnsupportedMediaType(Refused):
    """415: nobody reads this content type here."""

    status = 415


class Unprocessable(Refused):
    """422: well-formed, with a value that cannot be taken."""

    status = 422


class UpgradeRequired(Refused):
    """426: this path is a WebSocket."""

    status = 426


class TooManyRequests(Refused):
    """429: over a rate or a quota; `retry_after` is in seconds."""

    status = 429

    def __init__(self, detail: str, *, retry_after: int, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail, headers={"Retry-After": str(max(1, retry_after)), **(headers or {})})


class InternalError(Refused):
    """500: our fault; the client is told nothing but that."""

    status = 500


class Unavailable(Refused):
    """503: not now, or not configured."""

    status = 503


class StorageFull(Refused):
    """507: the disk is full; nothing of the request was kept."""

    status = 507


def refused_in(error: Exception) -> Refused | None:
    """The refusal that an error is, also when a handler's nursery has wrapped it."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error if isinstance(error, Refused) else None
