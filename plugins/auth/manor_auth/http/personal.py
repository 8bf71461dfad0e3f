"""One's own data: all of it as a file, and its erasure."""

from __future__ import annotations

from contextlib import aclosing

import msgspec

from manor import Rate, RateLimiter, Request, Route, Stream, TooManyRequests, Write
from manor_auth.http.api import BODY_LIMIT, NO_STORE, SIGNED_IN, Password, person
from manor_auth.http.keys import ACCOUNT
from manor_auth.personal import ErasingOneself, Exporting

DAY = Rate(1, burst=1440)
"""A bucket of a day's minutes."""

EXPORTS = 5


class Erase(msgspec.Struct, frozen=True):
    """Says that it is really meant."""

    password: Password


class PersonalHandlers:
    """One method for each operation."""

    def __init__(self, exporting: Exporting, erasing: ErasingOneself, limits: RateLimiter) -> None:
        self._exporting = exporting
        self._erasing = erasing
        self._limits = limits

    async def export(self, request: Request) -> Stream:
        """All that the server knows of one, as a file; five a day."""
        user_id = person(request)
        verdict = self._limits.take("auth exports", str(user_id), DAY, cost=DAY.burst // EXPORTS)
        if not verdict.allowed:
            raise TooManyRequests(f"{EXPORTS} exports a day are made", retry_after=verdict.retry_after)
        user, pieces = await self._exporting.begin(user_id)

        async def write_all(write: Write) -> None:
            async with aclosing(pieces):
                async for piece in pieces:
                    await write(piece)

        name = f"manor-export-{user.username}-{self._exporting.now():%Y-%m-%d}.json"
        headers = {**NO_STORE, "Content-Disposition": f'attachment; filename="{name}"'}
        return Stream(write_all, content_type="application/json", headers=headers)

    async def erase(self, request: Request[Erase]) -> None:
        """Delete one's account for good; the names are free at once, the rest goes soon."""
        await self._erasing.erase(person(request), request.body.password, address=request.head.address)


def personal_routes(handlers: PersonalHandlers) -> list[Route]:
    """Export, erase."""
    return [
        Route("GET", "/api/users/me/data", handlers.export, api=ACCOUNT, access=SIGNED_IN, returns=Stream),
        Route(
            "DELETE",
            "/api/users/me",
            handlers.erase,
            api=ACCOUNT,
            access=SIGNED_IN,
            body=Erase,
            body_limit=BODY_LIMIT,
            status=204,
            errors=(400, 403, 503),
        ),
    ]
