"""From a request's head to its finished answer, with no socket and no web framework in sight.

Every door walks the same steps: `begin` (which route, synchronous), `admit` (rates, credentials, access), then
`answer` with the body. What comes back has its final status, headers and bytes; errors are worded in the API's dialect.

A door's own duties: length, date and connection headers; no body after HEAD (the length stays that of GET) and none
with 204 and 304; no Content-Type header for an empty `content_type`; `Call.body_limit` while it reads the body;
`Call.headers()` in the handshake's answer of a WebSocket.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
import trio

from manor.admission import Gate
from manor.answers import Finished, finish, too_slow, websocket_only, with_headers
from manor.auth import Authenticator, Principal
from manor.clock import Clock
from manor.dialects import DETAIL, ErrorContext
from manor.errors import BadRequest, Forbidden, InternalError, Refused, StorageFull, Unavailable, refused_in
from manor.incoming import Incoming
from manor.limits import RateLimiter
from manor.matching import CORE, Miss, OwnedRoute, RouteTable, allowed_methods
from manor.origins import EVERY_PAGE, Origins, is_open_to_every_page
from manor.prepared import Manners, Prepared, merge_headers
from manor.routing import Api, Head, Later, Reply, Request, Route, Upgrade

log = structlog.get_logger("manor.dispatch")

# As many as Head.parameters takes apart.
_MOST_PARAMETERS = 1000
_SLASHES = re.compile("/+")


@dataclass(frozen=True)
class Settings:
    """What the admin may change while the house is open.

    Args:
        public_url: As people reach the server; "" when not configured.
        cors_origins: Exact origins, or `*`.
        body_limit: Bytes of a body whose route names no limit.
    """

    public_url: str = ""
    cors_origins: tuple[str, ...] = ()
    body_limit: int = 1_048_576


class Dispatcher:
    """Makes a `Call` of every request that a door brings.

    Args:
        table: The routes.
        limits: Counts requests.
        clock: For the moment at which a rate is whole again.
        authenticators: Who recognises credentials, in the order in which they are asked.
        settings: See `Settings`; `apply` changes them.
        on_failure: Told the owner of a route whose handler failed, for the metrics.
    """

    def __init__(
        self,
        table: RouteTable,
        *,
        limits: RateLimiter,
        clock: Clock,
        authenticators: Sequence[Authenticator] = (),
        settings: Settings | None = None,
        on_failure: Callable[[str], None] = lambda owner: None,
    ) -> None:
        self.table = table
        self.gate = Gate(limits, clock, authenticators)
        self.on_failure = on_failure
        self._suspended: dict[str, str] = {}
        self.apply(settings or Settings())

    def apply(self, settings: Settings) -> None:
        """Take changed settings; calls that have begun keep the old ones."""
        self.settings = settings
        self.origins = Origins(settings.public_url, settings.cors_origins)
        self._prepared: dict[OwnedRoute, Prepared] = {}
        self._manners: dict[int, Manners] = {}

    def suspend(self, owner: str, reason: str) -> None:
        """Answer 503 for a plugin's routes from here on; its paths stay its own.

        Args:
            owner: The plugin.
            reason: One sentence for whoever asks.
        """
        self._suspended[owner] = reason

    def prepare(self) -> None:
        """Work out all routes now rather than at their first request."""
        for owned in self.table:
            self._prepare(owned)

    def begin(self, head: Head, principals: Sequence[Principal] | None = None) -> Call:
        """Find out what a request means. Never raises.

        Args:
            head: The request without its body.
            principals: In place of credentials, for tests: whoever calls is believed.
        """
        if head.method == "OPTIONS":
            return self._options(head)
        found = self.table.match(head.method, head.raw_path)
        if isinstance(found, Miss):
            return Call(
                self, head, self._manners_of(found.api), owner=found.owner, refused=found.refused, given=principals
            )
        prepared = self._prepared.get(found.owned) or self._prepare(found.owned)
        call = Call(self, head, prepared.manners, owner=prepared.owner, prepared=prepared, given=principals)
        call.params = found.params
        call.refused = self._refusal(head, prepared.route, prepared.owner)
        return call

    def _prepare(self, owned: OwnedRoute) -> Prepared:
        route = owned.route
        manners = Manners(route.api, route.places) if route.places else self._manners_of(route.api)
        prepared = self._prepared[owned] = Prepared(owned, self.settings.body_limit, manners)
        return prepared

    def _manners_of(self, api: Api) -> Manners:
        # By identity: an Api holds a mapping and has no hash. The kept Manners keeps its Api, so no id is used twice.
        manners = self._manners.get(id(api))
        if manners is None:
            manners = self._manners[id(api)] = Manners(api)
        return manners

    def _refusal(self, head: Head, route: Route, owner: str) -> Refused | None:
        """What is wrong with a request whatever its credentials."""
        if owner in self._suspended:
            return Unavailable(self._suspended[owner])
        if head.query_string and head.query_string.count(b"&") >= _MOST_PARAMETERS:
            return BadRequest("The query has too many parameters")
        if not head.upgrade:
            if route.websocket is Upgrade.ONLY:
                return websocket_only()
            return None
        if route.websocket is Upgrade.NO:
            return BadRequest("This path is not a WebSocket")
        if not (self.origins.may_open_websocket(head) or is_open_to_every_page(route.api)):
            return Forbidden("Pages of this origin may not open a WebSocket here")
        return None

    def _options(self, head: Head) -> Call:
        routes = self.table.at(head.raw_path)
        if not routes:
            missed = self.table.match("OPTIONS", head.raw_path)
            assert isinstance(missed, Miss), "OPTIONS is never declared"
            return Call(self, head, self._manners_of(missed.api), owner=missed.owner, refused=missed.refused)
        wanted = routes.get(head.headers.get("access-control-request-method") or "")
        owned = wanted or next(iter(routes.values()))
        methods = allowed_methods(routes)
        call = Call(self, head, self._manners_of(owned.route.api), owner=owned.owner)
        headers = {"Allow": ", ".join(methods)}
        if owned.route.api.cors:
            headers |= self.origins.preflight_headers(head, methods)
        elif is_open_to_every_page(owned.route.api):
            # Open to every page whatever is configured: then what it asks for is let through as well.
            headers |= EVERY_PAGE.preflight_headers(head, methods)
        call.ready = Reply(status=204, content_type="", headers=headers)
        return call


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
        if manners.api.cors:
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

    # --- Who may ---------------------------------------------------------------------------------------------------

    async def admit(self) -> Reply | None:
        """Look at rates, credentials and access. Never raises but `Cancelled`.

        Returns:
            The refusal (or the answer to OPTIONS), or None: read the body and go on.
        """
        if self.ready is not None:
            self._dispatcher.gate.show_rates(self.head, self._manners, self._headers)
            return with_headers(self.ready, self._headers)
        try:
            self.principals = await self._dispatcher.gate.admit(
                self.head,
                self._manners,
                self._prepared,
                origins=self._dispatcher.origins,
                headers=self._headers,
                refused=self.refused,
                given=self._given,
            )
        except Exception as error:  # the edge: whatever a plugin's authenticator raises is one request's trouble
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
            answer = await self._handled(body)
            if type(answer) is Later:
                answer = await self._taken(answer)
            return self._finished(answer)
        except Exception as error:  # the edge: a handler that raises costs one request, in its dialect
            return self._worded(error)

    async def answer_later(self, body: bytes) -> Finished | Later:
        """Like `answer`, for a door that pipelines: a handler's `Later` is handed on instead of waited for.

        The `Later` gives a finished answer and never raises; the handler's deadline does not run for it.
        """
        try:
            answer = await self._handled(body)
            if type(answer) is not Later:
                return self._finished(answer)
        except Exception as error:  # the edge, as in `answer`
            return self._worded(error)
        slot = Later()
        answer.then(partial(self._fill, slot, answer))
        return slot

    def _fill(self, slot: Later, answer: Later) -> None:
        try:
            finished = self._finished(answer.take())
        except Exception as error:  # the edge, as in `answer`; the writer that calls this must go on
            finished = self._worded(error)
        slot.set(finished)

    async def _handled(self, body: bytes | Incoming) -> Any:
        prepared = self._prepared
        if prepared is None or self.refused is not None:
            raise self.refused or InternalError("Internal server error")
        query = prepared.read_query(self.head)
        request: Request[Any, Any] = Request(self.head, self.params, prepared.decode(body), query, self.principals)
        answer = prepared.handler(request)
        if not prepared.is_async and not inspect.isawaitable(answer):
            return answer
        with trio.move_on_after(prepared.route.deadline):
            return await answer
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
