"""One plain connection: requests in, answers out, with a deadline on every wait.

A request whose answer comes later (`Later`) does not hold up the next: pipelined publishes share a commit. Every other
request begins once those before it are answered.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable

import structlog
import trio

from manor.answers import Finished
from manor.dispatch import Call
from manor.errors import Refused
from manor.front.attending import Attended
from manor.front.bodies import ArrivingBody
from manor.front.buffer import Buffer
from manor.front.door import FrontDoor, Guest
from manor.front.exchanges import MOST_WAITING, Exchange, Exchanges
from manor.front.handshakes import too_early
from manor.front.http1 import HeadFault, ParsedHead
from manor.front.lasting import Lasting
from manor.front.limits import Peer
from manor.front.line import Line
from manor.front.replies import CONTINUE, render_refusal
from manor.front.waiting import Served, Waiting
from manor.incoming import BrokenOff, too_large
from manor.routing import Later, Live, Reply, Stream, WebSocket
from manor.web.heads import make_head
from manor.web.request_bodies import read_body
from manor.web.visits import no_room

log = structlog.get_logger("manor.front")

_BROUGHT = (Later, Reply, Stream, Live, WebSocket)

AT_ONCE = 16
"""Requests of one read that are begun before others get a turn on the loop."""


class Connection:
    """Serves one client until one of the two has enough.

    Args:
        door: What it shares with the others.
        transport: Its socket.
        peer: Its addresses.
    """

    __slots__ = (
        "_address",
        "_begun",
        "_buffer",
        "_door",
        "_exchanges",
        "_guest",
        "_is_reading",
        "_lasting",
        "_line",
        "_peer",
        "_read_by",
        "_served",
        "_transport",
        "_waiting",
        "deadline",
    )

    def __init__(self, door: FrontDoor, transport: trio.SocketStream, peer: Peer) -> None:
        self._door = door
        self._transport = transport
        self._peer = peer
        self._address = peer.address
        self._line = Line(transport.socket, door.limits.write, door.spawn)
        self._exchanges = Exchanges(self._line, door.visits, self._address, self._is_answered)
        self._buffer = Buffer(door.limits.head, door.heads)
        self._begun = False
        self._served = 0
        self._is_reading = False
        self._waiting = Waiting(door, self._line, self._hear)
        self._lasting: Lasting | None = None
        self._guest: Guest | None = None
        self._read_by = self.deadline = trio.current_time() + door.limits.header

    async def run(self) -> None:
        """Serve it; returns once its socket is closed."""
        self._door.joined(self)
        try:
            while await self._serve_next():
                if self._lasting is not None and not await self._answer_at_length():
                    break
            await self._end()
        except trio.BrokenResourceError:
            pass  # the client is gone, and who waited for an answer with it
        finally:
            self._door.left(self)
            self._line.cut()

    # --- Called by the server and the door -------------------------------------------------------------------------

    def drain(self) -> None:
        """The server stops: end now if nothing is asked, else after the answer."""
        if self._guest is not None:
            self._guest.drain()
        elif self._is_waiting and not self._exchanges:
            self._interrupt()

    def abort(self) -> None:
        """End it at once, whatever waits; what was not sent is lost."""
        if self._guest is not None:
            self._guest.abort()
        else:
            self._line.abort()

    def expire(self) -> None:
        """Its deadline has passed."""
        now = trio.current_time()
        socket = None if self._lasting is None else self._lasting.socket
        if socket is not None:
            if socket.deadline <= now:
                socket.expire()
            self.deadline = socket.deadline
            return
        if self._read_by <= now:
            self._read_by = math.inf
            self._interrupt()
        self._exchanges.refuse_overdue(now)
        self._watch_clock()

    @property
    def _is_waiting(self) -> bool:
        return self._is_reading or self._waiting.is_on

    def _interrupt(self) -> None:
        """Read nothing more; whoever still waits for an answer gets it."""
        if self._waiting.is_on:
            self._waiting.wake(False)
        else:
            self._line.interrupt()

    def _wait_until(self, deadline: float) -> None:
        self.deadline = deadline
        self._door.look_at(deadline)

    def _watch_clock(self) -> None:
        """See that neither the next request nor an answer takes too long."""
        self._wait_until(min(self._read_by, self._exchanges.overdue_at))

    async def _all_answered(self) -> None:
        if self._exchanges:
            self._watch_clock()
            await self._exchanges.emptied()

    def _is_answered(self) -> None:
        """All that was asked is answered, while the next request is waited for."""
        if self._is_waiting:
            if self._door.is_stopping:
                self._interrupt()
            elif self._buffer.is_empty:
                self._read_by = trio.current_time() + self._door.limits.keep_alive
                self._watch_clock()

    # --- One request after the other -------------------------------------------------------------------------------

    async def _serve_next(self) -> bool:
        """Serve the next request; gives whether another one may follow."""
        try:
            while (parsed := self._buffer.head(is_first=not self._served)) is None:
                served = await self._read_on()
                if served is not None:
                    return served if isinstance(served, bool) else await served
        except HeadFault as refused:
            await self._all_answered()
            self._buffer.owes = True
            is_head = self._buffer.asks_head
            self._line.post(render_refusal(refused.fault.status, refused.fault.detail, is_head=is_head))
            return False
        if len(self._exchanges) >= MOST_WAITING:
            await self._all_answered()
        if self._line.is_behind:
            await self._line.drained()
        if self._served % AT_ONCE == 0:
            await trio.lowlevel.checkpoint()
        served = self._serve(parsed)
        return served if isinstance(served, bool) else await served

    def _hear(self) -> None:
        """Something has come while the task sleeps: serve what needs no waiting here, and wake it for all else."""
        try:
            data = self._line.read_if_any()
            if data:
                self._buffer.add(data)
                self._serve_heard()
            elif data is not None:
                self._waiting.wake(False)
        except Exception:
            # The edge: whatever one client provokes ends its own connection, and not the task that hears all of them.
            log.exception("connection failed", address=self._address)
            self._line.cut()

    def _serve_heard(self) -> None:
        for _ in range(AT_ONCE):
            try:
                parsed = self._buffer.head(is_first=not self._served)
            except HeadFault:
                break
            if parsed is None:
                if not self._expect():
                    self._waiting.wake(False)
                return
            if len(self._exchanges) >= MOST_WAITING or self._line.is_behind:
                break
            served = self._serve(parsed)
            if served is not True or self._lasting is not None:
                self._waiting.wake(served)
                return
            if not self._waiting.is_on:
                return  # nobody could be answered, and the task knows: what else has come is not begun
        self._waiting.wake(None)

    def _expect(self) -> bool:
        """Say how long more of a request may take; gives whether it is still wanted."""
        door = self._door
        if self._buffer.settle():
            if not self._begun:
                self._begun = True
                self._read_by = trio.current_time() + door.limits.header
        elif self._served and not self._exchanges:
            if door.is_stopping:
                return False
            self._read_by = trio.current_time() + door.limits.keep_alive
        self._watch_clock()
        return True

    async def _read_on(self) -> Served:
        """Wait for more of a request; gives what came of those that were served meanwhile."""
        if not self._expect():
            return False
        if self._served:
            return await self._waiting.until_woken()
        # Most streams are a connection's first request and its last: what waits is made for those who ask again.
        self._is_reading = True
        data = await self._line.read()
        self._is_reading = False
        self._buffer.add(data)
        return None if data else False

    def _serve(self, parsed: ParsedHead) -> bool | Awaitable[bool]:
        """Serve a request: at once where nothing has to be waited for; else gives what is to be awaited."""
        began = time.perf_counter()
        self._begun, self._read_by = False, math.inf
        self._served += 1
        door = self._door
        call = door.dispatcher.begin(
            make_head(
                parsed.method,
                parsed.raw_path,
                parsed.query_string,
                parsed.read_headers(),
                peer=self._address,
                proxies=door.visits.proxies,
                upgrade=parsed.is_websocket,
            )
        )
        if parsed.is_chunked or call.is_streamed:
            return self._lend()
        exchange = Exchange(call, began)
        body = self._buffer.body(parsed)
        answer: Reply | Awaitable[Reply | None] | None
        answer = call.admit_now() if door.visits.enter(call, self._address) else no_room(call)
        if answer is None:
            limit = call.body_limit
            if limit and parsed.length > limit:
                answer = call.refuse(too_large(limit))
            elif call.is_prompt and (body is not None or not limit):
                brought = call.answer_now(body if limit and body else b"")
                if isinstance(brought, _BROUGHT):
                    return self._hand_over(exchange, parsed, brought)
                return self._serve_slowly(exchange, parsed, brought)
        if isinstance(answer, Reply):
            return self._hand_over(exchange, parsed, answer)
        return self._serve_slowly(exchange, parsed, self._answer(call, parsed, body, answer))

    async def _serve_slowly(self, exchange: Exchange, parsed: ParsedHead, brought: Awaitable[Finished | Later]) -> bool:
        try:
            answer = await brought
        except BaseException:
            # The client is gone, or we are.
            self._exchanges.ended(exchange, 0)
            raise
        return self._hand_over(exchange, parsed, answer)

    def _hand_over(self, exchange: Exchange, parsed: ParsedHead, answer: Finished | Later) -> bool:
        """Have it answered with that; gives whether another request may follow."""
        door = self._door
        exchange.closes = (
            self._buffer.owes
            or door.is_stopping
            or not parsed.keeps_alive
            or self._served >= door.limits.keep_alive_max_requests
        )
        if isinstance(answer, Later):
            self._exchanges.answer_later(exchange, answer, exchange.call.deadline)
        elif isinstance(answer, Reply):
            exchange.closes |= parsed.is_websocket
            self._exchanges.answer(exchange, answer)
        else:
            self._lasting = Lasting(door, self._line, exchange, answer, is_http10=parsed.is_http10)
            return True
        return not exchange.closes

    async def _answer(
        self, call: Call, parsed: ParsedHead, body: bytes | None, admitting: Awaitable[Reply | None] | None
    ) -> Finished | Later:
        """Admit, read the body, have it answered. Raises `BrokenResourceError` when the client leaves meanwhile."""
        if admitting is not None:
            refusal = await admitting
            if refusal is not None:
                return refusal
        limit = call.body_limit
        if not limit:
            body = b""
        elif parsed.length > limit:
            return call.refuse(too_large(limit))
        elif body is None:
            try:
                body = await self._rest_of_body(parsed, limit)
            except BrokenOff:
                raise trio.BrokenResourceError("the client left in the middle of a body") from None
            except Refused as refused:
                return call.refuse(refused)
        if call.is_prompt:
            return await call.answer_later(body)
        await self._all_answered()
        if parsed.is_websocket:
            return await self._answer_handshake(call)
        with Attended(self._door, self._line):
            return await call.answer(body)
        raise AssertionError("who leaves is told of by Attended")

    async def _answer_handshake(self, call: Call) -> Finished:
        def hear() -> None:
            early.extend(self._line.read_now())
            attended.cancel()

        early = bytearray()
        with Attended(self._door, self._line, heard=hear) as attended:
            return await call.answer(b"")
        if not early:
            raise trio.BrokenResourceError("the client is gone")
        return too_early(call)

    async def _rest_of_body(self, parsed: ParsedHead, limit: int) -> bytes:
        if parsed.expects_continue:
            await self._all_answered()
            self._line.post(CONTINUE)
        arriving = ArrivingBody(self._line, self._buffer.begun_body, parsed.length)
        body = await read_body(arriving, limit, self._door.visits.options.body_times)
        self._buffer.put(arriving.rest)
        return body

    # --- Long answers ----------------------------------------------------------------------------------------------

    async def _answer_at_length(self) -> bool:
        """Send what is no `Reply`, from here: what was needed to find it is let go. Gives whether to go on."""
        await self._all_answered()
        lasting = self._lasting
        assert lasting is not None, "there is one"
        try:
            await lasting.send(is_early=not self._buffer.is_empty, on_open=self._wait_until)
        finally:
            self._lasting = None
            self._exchanges.ended(lasting.exchange, lasting.status)
        # A line that was handed over does not come back.
        return not lasting.exchange.closes and self._line.far is None

    # --- Others' requests, and the end -----------------------------------------------------------------------------

    async def _lend(self) -> bool:
        """Have somebody else serve this request, and what follows until he has read no more than that."""
        await self._all_answered()
        await self._line.drained()
        guest = self._guest = self._door.lend(self._transport, self._peer, self._buffer.rest)
        rest = await guest.run()
        self._guest = None
        if rest is None:
            return False
        self._buffer.put(rest)
        return True

    async def _end(self) -> None:
        """Let go of the client once it has its answers, and has read them."""
        self._read_by = math.inf
        await self._all_answered()
        await self._line.drained()
        if not self._buffer.owes:
            return
        self._line.say_goodbye()
        with trio.move_on_after(self._door.limits.linger):
            while await self._line.read():
                pass  # read only so that our answer is not lost to a reset
