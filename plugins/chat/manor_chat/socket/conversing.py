"""One WebSocket: who it is, what it is sent, and what its client asks for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import msgspec
import trio

from manor import (
    MATTERMOST,
    BadRequest,
    Closing,
    Conversation,
    ConversationOver,
    ErrorContext,
    Head,
    Principal,
    Rate,
    RateLimiter,
    Refused,
    Request,
    Unauthorized,
    WebSocket,
)
from manor_chat.presence import Presence
from manor_chat.socket.actions import Actions, Actor
from manor_chat.socket.entering import Entered, Entrance, SocketQuery
from manor_chat.socket.frames import Fault, failure, reply
from manor_chat.socket.hub import TOO_SLOW, Hub
from manor_chat.socket.lines import Line
from manor_chat.socket.requests import LONGEST, SocketRequest, Unreadable, read_request

CHALLENGE = "authentication_challenge"

CHALLENGE_SECONDS = 5.0
"""How long a socket may stay without saying whose it is."""

RATE = Rate(per_minute=1200, burst=100)
"""Requests of one socket; who asks faster is read slower."""

STRANGER = Closing(4401, "not signed in")
UNREADABLE = Closing(1007, "neither JSON nor MessagePack")


class UnknownAction(Refused):
    """500, as the API has it: no action has this name."""

    status = 500


class Sockets:
    """Opens sockets.

    Args:
        hub: Where lines are.
        entrance: Lets clients in.
        actions: What they ask for.
        presence: Told who is there.
        limits: How much one socket may ask.
    """

    def __init__(self, hub: Hub, entrance: Entrance, actions: Actions, presence: Presence, limits: RateLimiter) -> None:
        self._hub = hub
        self._entrance = entrance
        self._actions = actions
        self._presence = presence
        self._limits = limits

    def open(self, request: Request[None, SocketQuery]) -> WebSocket:
        """Take part: the socket on which everything is told that a client may know of."""
        return WebSocket(partial(self._converse, request), message_limit=LONGEST)

    async def _converse(self, request: Request[None, SocketQuery], conversation: Conversation) -> None:
        try:
            principal, greeting = request.person, ""
            if principal is None:
                principal, greeting = await self._challenged(conversation, request.head)
            entered = None if principal is None else await self._entrance.enter(principal, request.query)
            if principal is None or entered is None:
                await conversation.close(STRANGER)
                return
            closing = await self._serve(_Socket(conversation, entered), principal, greeting)
            if closing is not None:
                await conversation.close(closing)
        except ConversationOver:
            return

    # --- Who it is -------------------------------------------------------------------------------------------------

    async def _challenged(self, conversation: Conversation, head: Head) -> tuple[Principal | None, str]:
        """Wait for a client to say whose socket it is; gives the reply that it waits for as well."""
        with trio.move_on_after(CHALLENGE_SECONDS):
            while True:
                try:
                    request = read_request(await conversation.receive())
                except Unreadable:
                    return None, ""
                if request.action != CHALLENGE or request.seq <= 0:
                    await conversation.send(_refusal(request))
                    continue
                token = request.text("token")
                return await self._entrance.recognise(token, head) if token else None, reply(request.seq)
        return None, ""

    # --- Both ways -------------------------------------------------------------------------------------------------

    async def _serve(self, socket: _Socket, principal: Principal, greeting: str) -> Closing | None:
        line = socket.line
        async with trio.open_nursery() as nursery:
            socket.open(nursery, greeting)
            line.carrier = socket
            self._presence.connect(line.listener.user_id, socket)
            try:
                await self._listen(socket, Actor(principal, line))
            finally:
                if line.carrier is socket:
                    self._hub.dropped(line)
                self._presence.disconnect(line.listener.user_id, socket)
            # Not when it is cancelled from outside: whoever does that says why the socket closes.
            nursery.cancel_scope.cancel()
        return socket.closing

    async def _listen(self, socket: _Socket, actor: Actor) -> None:
        while True:
            try:
                message = await socket.conversation.receive()
                request = read_request(message)
                answer = await self._answered(actor, request)
                if answer:
                    await socket.conversation.send(answer)
            except ConversationOver:
                return
            except Unreadable:
                socket.end(UNREADABLE)
                return
            verdict = self._limits.take("chat:socket", actor.line.connection_id, RATE)
            if not verdict.allowed:
                await trio.sleep(verdict.retry_after)

    async def _answered(self, actor: Actor, request: SocketRequest) -> str:
        """The reply to a request; empty for a second challenge, which gets none."""
        action = self._actions.by_name.get(request.action)
        if not request.action or request.seq <= 0:
            return _refusal(request)
        if request.action == CHALLENGE:
            return ""
        if action is None:
            return _refusal(request, UnknownAction("Unknown action", code="api.web_socket_router.bad_action.app_error"))
        try:
            return reply(request.seq, await action(actor, request))
        except Refused as refused:
            return _refusal(request, refused)


class _Socket:
    """One socket that carries a line.

    It has a task that writes only while something has to wait: thousands of sockets are idle, or take what they are
    given at once.

    Attributes:
        closing: Why it ends, once it does.
    """

    __slots__ = ("_again", "_is_writing", "_nursery", "closing", "conversation", "line", "sending_since")

    _nursery: trio.Nursery

    def __init__(self, conversation: Conversation, entered: Entered) -> None:
        self.conversation = conversation
        self.line: Line = entered.line
        self.closing: Closing | None = None
        self.sending_since = math.inf
        self._again: Sequence[bytes] = entered.again
        self._is_writing = False

    def open(self, nursery: trio.Nursery, greeting: str) -> None:
        """Begin, with what goes before all that the line brings from now on."""
        self._nursery = nursery
        # A hello goes before the reply to a challenge: some drivers take whatever comes first for a failure.
        first = [self.line.take()] if self.line.unsent_seq == 0 else []
        if greeting:
            first.append(greeting.encode())
        self._write_on([*first, *self._again])
        self._again = ()

    def end(self, closing: Closing) -> None:
        """Close it. One that does not read is cut: its close frame would wait behind all that it has not read."""
        self.closing = self.closing or closing
        if closing is TOO_SLOW:
            self.conversation.outlet.gone()
        self._nursery.cancel_scope.cancel()

    def send_now(self, frames: Sequence[bytes]) -> bool:
        """Send frames at once, if nothing is being written."""
        return not self._is_writing and self.conversation.send_now(*frames)

    def wake(self) -> None:
        """Write what waits; once for each burst."""
        if not self._is_writing:
            self._write_on(())

    def _write_on(self, first: Sequence[bytes]) -> None:
        self._is_writing = True
        self._nursery.start_soon(self._write, first)

    async def _write(self, first: Sequence[bytes]) -> None:
        line = self.line
        try:
            for frame in first:
                await self._send(frame)
            # Asked before each event: one that was taken after another socket had taken over would be lost to it.
            while line.carrier is self and line.has_waiting:
                await self._send(line.take())
        except ConversationOver:
            self._nursery.cancel_scope.cancel()
        self._is_writing = False

    async def _send(self, frame: bytes) -> None:
        self.sending_since = trio.current_time()
        await self.conversation.send(frame.decode())
        self.sending_since = math.inf


def _refusal(request: SocketRequest, refused: Refused | None = None) -> str:
    if not request.action:
        refused = BadRequest("No websocket action", code="api.web_socket_router.no_action.app_error")
    elif request.seq <= 0:
        refused = BadRequest("Invalid sequence for websocket message", code="api.web_socket_router.bad_seq.app_error")
    elif refused is None:
        refused = Unauthorized(
            "WebSocket connection is not authenticated", code="api.web_socket_router.not_authenticated.app_error"
        )
    rendered = MATTERMOST.render(refused, ErrorContext("", "", ""))
    return failure(request.seq, msgspec.json.decode(rendered.body, type=Fault))
