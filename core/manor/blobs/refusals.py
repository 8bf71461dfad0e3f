"""Why a file cannot be had, or kept."""

from __future__ import annotations

from manor.errors import ManorError, NotFound, Unavailable


class BadKey(ManorError):
    """No file can have this key. The text does not repeat it: it may be anything."""


class BadRange(ManorError):
    """What was asked for begins behind the end of the file."""


class NoSuchBlob(NotFound):
    """404: there is no file with this key.

    Attributes:
        key: The key.
    """

    def __init__(self, key: str) -> None:
        super().__init__("There is no such file.")
        self.key = key


class BlobsFailed(Unavailable):
    """503: the store does not answer, or does not do what it was asked for.

    A client is told no more than that; the reason is for the log.

    Attributes:
        reason: What happened, without secrets.
        may_pass: Whether trying again is of use.
    """

    def __init__(self, reason: str, *, may_pass: bool = True) -> None:
        super().__init__("The server cannot reach its files at the moment.")
        self.reason = reason
        self.may_pass = may_pass

    def __str__(self) -> str:
        return self.reason
