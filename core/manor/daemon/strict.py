"""h11, which refuses what two servers may read in two ways."""

from __future__ import annotations

import re
from typing import Any

import h11
from h11._readers import ChunkedReader
from h11._receivebuffer import ReceiveBuffer

from manor.front.framing import END_OF_HEAD, HeadLimits, fault

_CHUNK = re.compile(rb"[0-9A-Fa-f]{1,8}(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")
_BAD_LINE_END = re.compile(rb"(?<!\r)\n|\r(?!\n)")


class StrictChunks(ChunkedReader):
    """h11's reader of bodies in chunks, which takes no more than RFC 9112 sections 2.2 and 7.1 do.

    h11's own also reads sizes of twenty digits, lines of trailers that end with LF alone, and control characters in
    extensions, the bare CR that others read as a line's end among them.
    """

    def __call__(self, buf: ReceiveBuffer) -> h11.Data | h11.EndOfMessage | None:
        """The next piece of the body, or its end.

        Raises:
            h11.LocalProtocolError: It cannot be read; `next_event` tells it as the client's fault.
        """
        if (self._reading_trailer or not self._bytes_in_chunk) and self._has_bad_lines(bytes(buf)):
            raise h11.LocalProtocolError("malformed chunk")
        return super().__call__(buf)

    def _has_bad_lines(self, data: bytes) -> bool:
        if not self._reading_trailer:
            line, end, data = data[len(self._bytes_to_discard) :].partition(b"\r\n")
            if not end:
                return False  # it is on its way, and h11 waits for it as well
            if _CHUNK.fullmatch(line) is None:
                return True
            if int(line.partition(b";")[0], 16):
                return False
        if data.startswith(b"\r\n"):
            return False
        trailers = data.partition(END_OF_HEAD)[0]
        return _BAD_LINE_END.search(trailers.removesuffix(b"\r")) is not None


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

    def _get_io_object(self, *args: Any) -> Any:
        made = super()._get_io_object(*args)
        return StrictChunks() if isinstance(made, ChunkedReader) else made

    @property
    def is_free(self) -> bool:
        """Whether no request is under way, and none has begun to come."""
        return self.our_state is h11.IDLE and self.their_state is h11.IDLE and not self.trailing_data[0]

    @property
    def they_are_waiting_for_100_continue(self) -> bool:
        """Never, as hypercorn sees it: it would ask for every body before anybody knows whether it is read."""
        return False
