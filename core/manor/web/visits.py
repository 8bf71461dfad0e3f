"""What every door does around a call: how many one address may make at once, the log's line, the figures."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from manor.config import Network
from manor.dispatch import Call
from manor.errors import TooManyRequests
from manor.routing import Reply
from manor.web.access_log import blanked
from manor.web.heads import Proxies
from manor.web.request_bodies import BodyTimes

log = structlog.get_logger("manor.access")

Observe = Callable[[Call, int, float], None]


@dataclass(frozen=True)
class WebOptions:
    """What the doors are told.

    Args:
        trusted_proxies: Whose `X-Forwarded-…` and `X-Request-Id` headers count.
        requests_per_address: At once, of one address behind a trusted proxy, where connections cannot be counted; 0
            for no limit.
        body_times: How slowly a body may come.
        access_log: Whether each request is a line in the log.
        observe: Told the call, the status and the seconds of every request that has ended, for the metrics.
    """

    trusted_proxies: Sequence[Network] = ()
    requests_per_address: int = 64
    body_times: BodyTimes = field(default_factory=BodyTimes)
    access_log: bool = False
    observe: Observe = lambda call, status, seconds: None


class Visits:
    """The requests that are under way, through whichever door they came.

    Args:
        options: See `WebOptions`; `apply` changes them.
    """

    def __init__(self, options: WebOptions) -> None:
        self._forwarded: Counter[str] = Counter()
        self.apply(options)

    def apply(self, options: WebOptions) -> None:
        """Take changed options; requests that have begun keep the old ones."""
        self.options = options
        self.proxies = Proxies(options.trusted_proxies)

    def enter(self, call: Call, peer: str) -> bool:
        """Count a request of an address behind a proxy; gives whether there is room for it.

        Args:
            call: The request.
            peer: The connection's other end, "" for a Unix socket's.
        """
        address = call.head.address
        if address == peer:
            return True
        self._forwarded[address] += 1
        most = self.options.requests_per_address
        return not most or self._forwarded[address] <= most

    def leave(self, call: Call, peer: str) -> None:
        """Count it out again, once for each `enter`, also where there was no room."""
        address = call.head.address
        if address == peer:
            return
        self._forwarded[address] -= 1
        if not self._forwarded[address]:
            del self._forwarded[address]

    @contextmanager
    def counted(self, call: Call, peer: str) -> Iterator[bool]:
        """Both, around what is done between; gives whether there is room."""
        try:
            yield self.enter(call, peer)
        finally:
            self.leave(call, peer)

    def note(self, call: Call, status: int, began: float) -> None:
        """Note that a request has ended.

        Args:
            call: The request.
            status: Its answer's; 0 where none was sent.
            began: By `time.perf_counter`.
        """
        seconds = time.perf_counter() - began
        self.options.observe(call, status, seconds)
        if self.options.access_log:
            log.info(
                "request",
                method=call.head.method,
                path=call.shown_path,
                query=blanked(call.head.query_string, call.secret_parameters),
                status=status,
                seconds=round(seconds, 4),
                address=call.head.address,
                owner=call.owner,
                request_id=call.head.request_id,
            )


def no_room(call: Call) -> Reply:
    """The refusal of a request for which there is no room."""
    return call.refuse(TooManyRequests("Too many requests at once", retry_after=5))
