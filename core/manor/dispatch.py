"""From a request's head to its finished answer, with no socket and no web framework in sight.

Every door walks the same steps: `begin` (which route, synchronous), `admit` (rates, credentials, access), then
`answer` with the body. What comes back has its final status, headers and bytes; errors are worded in the API's dialect.

A door's own duties: length, date and connection headers; no body after HEAD (the length stays that of GET) and none
with 204 and 304; no Content-Type header for an empty `content_type`; `Call.body_limit` while it reads the body;
`Call.headers()` in the handshake's answer of a WebSocket.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from manor.admission import Gate
from manor.answers import websocket_only
from manor.auth import Authenticator, Principal
from manor.calls import Call as Call
from manor.clock import Clock
from manor.errors import BadRequest, Forbidden, Refused, Unavailable
from manor.limits import RateLimiter
from manor.matching import Miss, OwnedRoute, RouteTable, allowed_methods
from manor.origins import EVERY_PAGE, Origins, is_open_to_every_page
from manor.prepared import Manners, Prepared
from manor.routing import Api, Head, Reply, Route, Upgrade

# As many as Head.parameters takes apart.
_MOST_PARAMETERS = 1000


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
