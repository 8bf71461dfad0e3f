"""One request on its way through the house: who may, what is answered, and how a refusal is worded.

Nothing here waits where nothing has to be waited for: a door may take a request to its answer in one go.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any

import structlog
import trio

from manor.answers import Finished, finish, too_slow, with_headers
from manor.auth import Principal
from manor.dialects import DETAIL, ErrorContext
from manor.errors import InternalError, Refused, StorageFull, refused_in
from manor.incoming import Incoming
from manor.matching import CORE
from manor.prepared import Manners, Prepared, merge_headers
from manor.routing import Api, Head, Later, Reply, Request, Route

if TYPE_CHECKING:
    from manor.dispatch import Dispatcher

log = structlog.get_logger("manor.dispatch")

_SLASHES = re.compile("/+")


class Call:
    """One request on its way through the house.

    Attributes:
        head: The request's head.
        owner: The plugin that serves it, `core` for nobody's.
        params: The path's parameters.
        principals: The valid credentials, once admitted: for the outlet of a stream.
        refused: Why it is refused whatever the body; `admit` words it.
        ready: The answer that needs no handler (OPTIONS).
    """

    __slots__ = (
        "_dispatcher",
        "_given",
        "_headers",
        "_manners",
        "_prepared",
        "head",
        "owner",
        "params",
        "principals",
        "ready",
        "refused",
    )

    def __init__(
        self,
        dispatcher: Dispatcher,
        head: Head,
        manners: Manners,
        *,
        owner: str = CORE,
        prepared: Prepared | None = None,
        refused: Refused | None = None,
        given: Sequence[Principal] | None = None,
    ) -> None:
        self._dispatcher = dispatcher
        self._manners = manners
        self._prepared = prepared
        self._given = given
        self.head = head
        self.owner = owner
        self.params: Any = {}
        self.principals: tuple[Principal, ...] = ()
        self.refused = refused
        self.ready: Reply | None = None
        headers = dict(manners.headers)
        if manners.api.live_headers is not None:
            headers |= manners.api.live_headers()
        if head.request_id:
            headers["X-Request-Id"] = head.request_id
        if manners.api.cors and dispatcher.settings.cors_origins:
            headers |= dispatcher.origins.cors_headers(head)
        self._headers = headers

    @property
    def route(self) -> Route | None:
        """The route, or None when nobody serves the path or the method."""
        return self._prepared.route if self._prepared else None

    @property
    def api(self) -> Api:
        """The API in whose dialect it is answered."""
        return self._manners.api

    @property
    def shown_path(self) -> str:
        """The path for logs: without what is a secret."""
        path = self.head.path
        if not self.api.hides_paths:
            return path
        path = _SLASHES.sub("/", path)
        return next((f"{prefix}/..." for prefix in self.api.prefixes if path.startswith(f"{prefix}/")), path)

    @property
    def body_limit(self) -> int:
        """How many bytes of a body are read; 0: none, whatever comes is thrown away."""
        return self._prepared.body_limit if self._prepared and self.refused is None else 0

    @property
    def is_streamed(self) -> bool:
        """Whether `answer` takes the body as it comes, an `Incoming`, and reads it itself."""
        return self._prepared is not None and self._prepared.route.body is Incoming

    @property
    def is_prompt(self) -> bool:
        """Whether the handler answers without waiting: with an answer, or a `Later`."""
        return self._prepared is None or not self._prepared.is_async

    @property
    def deadline(self) -> float:
        """Seconds that the handler has."""
        return self._prepared.route.deadline if self._prepared else 60.0

    @property
    def secret_parameters(self) -> frozenset[str]:
        """The query parameters that hold a credential here; no log shows their values."""
        return self._manners.secret_parameters

    @property
    def websocket_allowed(self) -> bool:
        """Whether the handshake may go on once the call is admitted."""
        return self.head.upgrade and self._prepared is not None and self.refused is None

    def headers(self) -> dict[str, str]:
        """Headers of every answer to this call; they are already in what `admit`, `answer` and `refuse` give."""
        return dict(self._headers)

    def let_go(self) -> None:
        """The head of an answer that may last for days is sent: keep of the request what logs and figures say of it."""
        head = self.head
        self.head = Head(
            head.method,
            head.raw_path,
            head.query_string,
            address=head.address,
            scheme=head.scheme,
            upgrade=head.upgrade,
            request_id=head.request_id,
        )
        self.params, self._headers = {}, {}

    # --- Who may ---------------------------------------------------------------------------------------------------

    async def admit(self) -> Reply | None:
        """Look at rates, credentials and access. Never raises but `Cancelled`.

        Returns:
            The refusal (or the answer to OPTIONS), or None: read the body and go on.
        """
        refusal = self.admit_now()
        return refusal if refusal is None or isinstance(refusal, Reply) else await refusal

    def admit_now(self) -> Reply | Awaitable[Reply | None] | None:
        """Like `admit`, without waiting where nothing has to be waited for; else what is to be awaited."""
        dispatcher = self._dispatcher
        if self.ready is not None:
            dispatcher.gate.show_rates(self.head, self._manners, self._headers)
            return with_headers(self.ready, self._headers)
        try:
            admitted = dispatcher.gate.admit(
                self.head,
                self._manners,
                self._prepared,
                origins=dispatcher.origins,
                headers=self._headers,
                refused=self.refused,
                given=self._given,
            )
        except Exception as error:  # the edge: whatever a plugin's authenticator raises is one request's trouble
            return self._worded(error)
        if not isinstance(admitted, tuple):
            return self._admitted(admitted)
        self.principals = admitted
        return None

    async def _admitted(self, awaited: Awaitable[tuple[Principal, ...]]) -> Reply | None:
        try:
            self.principals = await awaited
        except Exception as error:  # the edge, as in `admit_now`
            return self._worded(error)
        return None

    # --- The answer ------------------------------------------------------------------------------------------------

    async def answer(self, body: bytes | Incoming) -> Finished:
        """Decode, have it handled, encode. An answer that is on its way to disk is waited for.

        Args:
            body: Whole, empty for a route without one; as it comes where `is_streamed`.

        Never raises but `Cancelled`: errors come worded. Only after `admit` returned None.
        """
        try:
            answer = self._handed_over(body)
            if not _is_answer(answer):
                answer = await self._awaited(answer)
            if type(answer) is Later:
                answer = await self._taken(answer)
            return self._finished(answer)
        except Exception as error:  # the edge: a handler that raises costs one request, in its dialect
            return self._worded(error)

    async def answer_later(self, body: bytes) -> Finished | Later:
        """Like `answer`, for a door that pipelines: a handler's `Later` is handed on instead of waited for.

        The `Later` gives a finished answer and never raises; the handler's deadline does not run for it.
        """
        answer = self.answer_now(body)
        return await answer if isinstance(answer, Awaitable) else answer

    def answer_now(self, body: bytes) -> Finished | Later | Awaitable[Finished | Later]:
        """Like `answer_later`, without waiting where the handler waits for nothing; else what is to be awaited."""
        try:
            answer = self._handed_over(body)
            return self._on_its_way(answer) if _is_answer(answer) else self._answered(answer)
        except Exception as error:  # the edge, as in `answer`
            return self._worded(error)

    async def _answered(self, waiting: Awaitable[Any]) -> Finished | Later:
        try:
            return self._on_its_way(await self._awaited(waiting))
        except Exception as error:  # the edge, as in `answer`
            return self._worded(error)

    def _on_its_way(self, answer: Any) -> Finished | Later:
        return answer.seal(self._sealed) if type(answer) is Later else self._finished(answer)

    def _sealed(self, answer: Later) -> Finished:
        try:
            return self._finished(answer.unsealed())
        except Exception as error:  # the edge, as in `answer`; the writer that calls this must go on
            return self._worded(error)

    def _handed_over(self, body: bytes | Incoming) -> Any:
        """What the handler returned: an answer, or what brings one."""
        prepared = self._prepared
        if prepared is None or self.refused is not None:
            raise self.refused or InternalError("Internal server error")
        query = prepared.read_query(self.head)
        return prepared.handler(Request(self.head, self.params, prepared.decode(body), query, self.principals))

    async def _awaited(self, waiting: Awaitable[Any]) -> Any:
        with trio.move_on_after(self.deadline):
            return await waiting
        raise too_slow()

    async def _taken(self, answer: Later) -> Any:
        if not answer.is_done:
            arrived = trio.Event()
            answer.then(arrived.set)
            with trio.move_on_after(self.deadline):
                await arrived.wait()
            if not answer.is_done:
                raise too_slow()
        return answer.take()

    def _finished(self, answer: Any) -> Finished:
        assert self._prepared is not None, "only a route's answer is finished"
        if type(answer) is Reply and not answer.headers:
            return Reply(answer.body, answer.status, answer.content_type, self._headers)
        return finish(answer, self._prepared, self.head, self._headers)

    # --- Refusals --------------------------------------------------------------------------------------------------

    def refuse(self, refused: Refused) -> Reply:
        """Word a refusal, the door's own ones included (408, 413), in the API's dialect. Never raises."""
        context = ErrorContext(self.head.request_id, self.head.path, self.head.way_back)
        api = self._manners.api
        dialect = api.dialect
        try:
            rendered = dialect.render(refused, context)
        except Exception:  # the edge: a plugin's own dialect; the client still gets the status
            log.exception("dialect_failed", dialect=dialect.name, request_id=self.head.request_id, owner=self.owner)
            dialect, rendered = DETAIL, DETAIL.render(InternalError("Internal server error"), context)
        headers = merge_headers(self._headers, {**rendered.headers, **refused.headers})
        if rendered.status == 401 and api.challenge:
            headers.setdefault("WWW-Authenticate", api.challenge)
        return Reply(rendered.body, rendered.status, rendered.content_type or dialect.content_type, headers)

    def _worded(self, error: Exception) -> Reply:
        refused = refused_in(error)
        if refused is not None and not isinstance(refused, StorageFull | InternalError):
            return self.refuse(refused)
        facts = {
            "request_id": self.head.request_id,
            "owner": self.owner,
            "method": self.head.method,
            "path": self.shown_path,
        }
        self._dispatcher.on_failure(self.owner)
        if isinstance(refused, StorageFull):
            log.error("storage_full", **facts)
            return self.refuse(refused)
        log.error("request_failed", **facts, exc_info=error)
        return self.refuse(InternalError("Internal server error"))


def _is_answer(answer: Any) -> bool:
    """Whether a handler's answer is there; the test that takes longest comes last."""
    return type(answer) is Later or type(answer) is Reply or not inspect.isawaitable(answer)
