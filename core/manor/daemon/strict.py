"""h11, which refuses what two servers may read in two ways."""

from __future__ import annotations

from typing import Any

import h11

from manor.front.framing import END_OF_HEAD, HeadLimits, fault


class StrictConnection(h11.Connection):
    """h11, which looks at a request's head as it came before it reads it its own, more forgiving way."""

    def __init__(self, limits: HeadLimits) -> None:
        # One byte more than we take: what is too long is then always found by us, with the same answer.
        super().__init__(h11.SERVER, max_incomplete_event_size=limits.size + len(END_OF_HEAD) + 1)
        self._limits = limits
        self.refusal = "The request cannot be read"

    def next_event(self) -> Any:
        """The next event; what is refused raises `RemoteProtocolError` with the status as its hint, and leaves a
        sentence for the client in `refusal`.
        """
        if self.their_state is h11.MUST_CLOSE:
            # What comes behind a client's own last request is not read (RFC 9112 section 9.6); to h11 it is a fault.
            return h11.NEED_DATA
        if self.their_state is h11.IDLE:
            data, _ = self.trailing_data
            found = fault(data, self._limits) if data else None
            if found is not None:
                self.refusal = found.detail
                raise h11.RemoteProtocolError(found.detail, error_status_hint=found.status)
        elif self.their_state is h11.SEND_BODY:
            self.refusal = "The body's chunks cannot be read"
        return super().next_event()

    @property
    def is_free(self) -> bool:
        """Whether no request is under way, and none has begun to come."""
        return self.our_state is h11.IDLE and self.their_state is h11.IDLE and not self.trailing_data[0]

    @property
    def they_are_waiting_for_100_continue(self) -> bool:
        """Never, as hypercorn sees it: it would ask for every body before anybody knows whether it is read."""
        return False
