"""What can be worked out of a route before its first request: decoders, places for credentials, headers."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence

from manor.auth import Place, Query
from manor.bodies import body_decoder, query_reader
from manor.matching import OwnedRoute
from manor.routing import Api, Head

_EVERY_ANSWER = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


class Manners:
    """What all answers of one API have in common: its name and dialect, its headers, where credentials stand."""

    __slots__ = (
        "_credential_headers",
        "_looked_at",
        "_reads_query",
        "api",
        "headers",
        "places",
        "secret_parameters",
        "signed_in_bucket",
    )

    def __init__(self, api: Api, more_places: Sequence[Place] = ()) -> None:
        self.api = api
        self.headers = merge_headers(_EVERY_ANSWER, api.headers)
        places: list[Place] = []
        for place in (*api.places, *more_places):
            if place not in places:
                places.append(place)
        self.places = tuple(places)
        self.secret_parameters = frozenset(place.name for place in places if isinstance(place, Query))
        self.signed_in_bucket = f"{api.name}:signed-in"
        self._looked_at = [
            (place, getattr(place, "headers", None), getattr(place, "is_in_query", False)) for place in self.places
        ]
        headers = [headers for _, headers, _ in self._looked_at]
        self._credential_headers = None if None in headers else frozenset[bytes]().union(*filter(None, headers))
        self._reads_query = any(is_in_query for _, _, is_in_query in self._looked_at)

    def presented(self, head: Head) -> Sequence[tuple[str, Place]]:
        """The secrets that a request brings, and where each stood."""
        sent, every = head.headers.first.keys(), self._credential_headers
        if every is not None and every.isdisjoint(sent) and not (self._reads_query and head.query_string):
            return ()
        found = []
        for place, headers, is_in_query in self._looked_at:
            if headers is not None and headers.isdisjoint(sent) and not (is_in_query and head.query_string):
                continue
            secret = place.find(head)
            if secret is not None:
                found.append((secret, place))
        return found


class Prepared:
    """A route and what serves it.

    Args:
        owned: The route.
        default_body_limit: Bytes of a body, where it names no limit.
        manners: Of its API and its own places.
    """

    __slots__ = ("body_limit", "decode", "handler", "is_async", "manners", "name", "owner", "read_query", "route")

    def __init__(self, owned: OwnedRoute, default_body_limit: int, manners: Manners) -> None:
        route = owned.route
        self.owner = owned.owner
        self.route = route
        self.name = str(owned)
        self.handler = route.handler
        self.is_async = inspect.iscoroutinefunction(route.handler)
        self.manners = manners
        self.decode = body_decoder(route.body, route.api.bad_value_status)
        self.read_query = query_reader(route.query, route.api.bad_value_status)
        self.body_limit = 0 if route.body is None else (route.body_limit or default_body_limit)


def merge_headers(under: Mapping[str, str], over: Mapping[str, str]) -> dict[str, str]:
    """Headers of two layers: the upper one wins whatever its letters' case; `Vary` names what either names."""
    merged = dict(under)
    if not over:
        return merged
    names = {name.lower(): name for name in merged}
    for name, value in over.items():
        known = names.get(name.lower())
        if known is None:
            merged[name] = value
        elif known.lower() == "vary":
            merged[known] = ", ".join(dict.fromkeys((*merged[known].split(", "), *value.split(", "))))
        else:
            merged[known] = value
    return merged
