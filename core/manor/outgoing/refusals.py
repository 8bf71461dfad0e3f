"""Why a request to another server came to nothing."""

from __future__ import annotations

from manor.errors import ManorError


class OutgoingRefused(ManorError):
    """Nothing was sent, because it must not be: the target is not allowed, or the request is none that we make.

    Trying again is of no use. The text names the host, never the path or the query: these may hold secrets.
    """


class OutgoingFailed(ManorError):
    """It was tried: nobody answered in time, or the answer cannot be taken. Later it may go better."""
