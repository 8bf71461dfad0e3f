"""Operations of what this server does not have: licensed features, answered as a server without a licence does."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from manor import Api, Forbidden, Refused, Reply, Request, Route
from manor_chat.faults import NotImplementedHere
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.system.absent import ABSENT, EMPTY, Absent


def unlicensed_routes(api: Api) -> list[Route]:
    """All of them; each wants a sign-in and nothing more."""
    absent = [
        operation(api, line, _refusing(feature), access=SIGNED_IN, tag=feature.tag, errors=(feature.status,))
        for feature in ABSENT
        for line in _lines(feature.lines)
    ]
    empty = [operation(api, line, _giving(body), access=SIGNED_IN, tag=tag) for tag, line, body in EMPTY]
    return absent + empty


def _lines(text: str) -> Iterator[str]:
    return (line.strip() for line in text.splitlines() if line.strip())


def _refusing(feature: Absent) -> Callable[[Request], Reply]:
    def refuse(request: Request) -> Reply:
        """Not here: this server has no licence, and needs none for what it has."""
        raise _refusal(feature)

    return refuse


def _refusal(feature: Absent) -> Refused:
    kind = Forbidden if feature.status == 403 else NotImplementedHere
    return kind("This server does not have this feature.", code=feature.code)


def _giving(body: bytes) -> Callable[[Request], Reply]:
    def give(request: Request) -> Reply:
        """Nothing: this server has none of these."""
        return Reply(body)

    return give
