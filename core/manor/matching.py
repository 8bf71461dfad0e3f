"""The one table of all routes: which of them a path means, and in whose words it is refused when none does.

The raw path is split first and percent-decoded afterwards, so `%2F` is a character of a segment and `%61pi` is the
literal `api`. Literal segments win over parameters, and the first segment never falls back from a registered literal
to a parameter: `/users/x/y` does not become a topic's path because nobody serves it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from manor.dialects import DETAIL
from manor.errors import MethodNotAllowed, NotFound, Problem, Refused
from manor.route_faults import PARAMETER, route_faults
from manor.routing import Api, Door, Route

CORE = "core"
"""The owner of the daemon's own routes."""

NOBODY = Api("unmatched", DETAIL)
"""Answers for paths that belong to no API."""

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_SLASHES = re.compile(rb"//+")
_MOST_KNOWN_PATHS = 4096
_LONGEST_KNOWN_PATH = 256
_PREFERENCE = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, eq=False)
class OwnedRoute:
    """A route and the plugin that serves it."""

    owner: str
    route: Route

    def __str__(self) -> str:
        return f"{self.route.method} {self.route.path}"


class Match(NamedTuple):
    """What a request means: a route, and the path's parameters by name, decoded."""

    owned: OwnedRoute
    params: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Miss:
    """No route serves it: the refusal, and the API whose dialect words it."""

    refused: Refused
    api: Api
    owner: str = CORE


@dataclass(eq=False)
class _Place:
    """One place of the trie: what follows it, and what is served right here, in the order it was added."""

    literals: dict[str, _Place] = field(default_factory=dict)
    parameter: _Place | None = None
    names: tuple[str, ...] = ()
    name: str = ""
    named_by: OwnedRoute | None = None
    routes: dict[str, OwnedRoute] = field(default_factory=dict)
    rivals: list[OwnedRoute] = field(default_factory=list)


def _segments(path: str) -> list[str]:
    return path[1:].split("/")


@lru_cache(maxsize=4096)
def _steps(path: str) -> tuple[tuple[str, str | None], ...]:
    """A route's segments, each with the parameter's name if it is one."""
    found = [(segment, PARAMETER.fullmatch(segment)) for segment in _segments(path)]
    return tuple((segment, parameter and parameter[1]) for segment, parameter in found)


def _is_same(one: Api, other: Api) -> bool:
    return one is other or one == other


def _decode(raw_path: bytes) -> list[str] | None:
    """The path's segments, or None for one that is not UTF-8, has a broken escape or does not begin with a slash."""
    if not raw_path.startswith(b"/"):
        return None
    try:
        if b"%" not in raw_path:
            return raw_path[1:].decode().split("/")
        if _BAD_ESCAPE.search(raw_path):
            return None
        return [unquote_to_bytes(segment).decode() for segment in raw_path[1:].split(b"/")]
    except UnicodeDecodeError:
        return None


class RouteTable:
    """Every route of every door. Filled plugin by plugin at the start, then only read."""

    def __init__(self, routes: Iterable[OwnedRoute] = ()) -> None:
        self._all: list[OwnedRoute] = []
        self._rebuild(list(routes))

    # --- Filling ---------------------------------------------------------------------------------------------------

    def add(self, owner: str, routes: Sequence[Route]) -> list[str]:
        """Take a plugin's routes, all or none.

        Returns:
            What is wrong with them, a sentence each: nothing was added then. What two plugins dispute is told by
            `collisions`.
        """
        faults = [fault for route in routes for fault in route_faults(route)]
        if faults:
            return faults
        owned = [OwnedRoute(owner, route) for route in routes]
        clashes = self._clashes
        self._all += owned
        self._take(owned)
        if self._clashes == clashes:
            return []
        faults = [problem.what for problem in RouteTable(owned).collisions()]
        if faults:
            self._rebuild([each for each in self._all if each not in owned])
        return faults

    def remove(self, owner: str) -> None:
        """Forget a plugin's routes: it failed before it served anything."""
        self._rebuild([owned for owned in self._all if owned.owner != owner])

    def collisions(self) -> list[Problem]:
        """What more than one plugin claims: a method on a path, the name of one place's parameter, an API's prefix."""
        if not self._clashes:
            return []
        found = [*self._rivals(self._root), *self._disputes, *self._disputed_prefixes()]
        return [Problem("", what) for what in dict.fromkeys(found)]

    def _rebuild(self, routes: list[OwnedRoute]) -> None:
        self._all = routes
        self._root = _Place()
        self._disputes: list[str] = []
        self._clashes = 0
        self._by_literal_path: dict[bytes, _Place] = {}
        self._prefixes: dict[tuple[str, ...], OwnedRoute] = {}
        self._apis: dict[str, list[OwnedRoute]] = {}
        self._at_once: set[bytes] = set()
        # Where paths with parameters led: the same few topics are named thousands of times a second.
        self._known_paths: dict[bytes, tuple[_Place, Mapping[str, str]]] = {}
        self._take(routes)

    def _take(self, routes: Sequence[OwnedRoute]) -> None:
        self._known_paths.clear()
        for owned in routes:
            place = self._insert(owned)
            self._note(owned, place)
        self._longest_prefix = max((len(prefix) for prefix in self._prefixes), default=0)
        self._only_api = {first: found[0] for first, found in self._apis.items() if len(found) == 1}
        self.first_segments = frozenset(segment for segment in self._root.literals if segment)
        self.at_once = tuple(self._at_once)

    def _insert(self, owned: OwnedRoute) -> _Place:
        place, names = self._root, []
        for segment, parameter in _steps(owned.route.path):
            if parameter is None:
                place = place.literals.setdefault(segment, _Place())
                continue
            if place.parameter is None:
                place.parameter = _Place(name=parameter, named_by=owned)
            elif place.parameter.name != parameter:
                self._dispute(place.parameter, parameter, owned)
            place = place.parameter
            names.append(parameter)
        place.names = place.names or tuple(names)
        if owned.route.method in place.routes:
            place.rivals.append(owned)
            self._clashes += 1
        else:
            place.routes[owned.route.method] = owned
        return place

    def _note(self, owned: OwnedRoute, place: _Place) -> None:
        """Note what is looked up per request."""
        route = owned.route
        if not place.names:
            self._by_literal_path[route.path.encode()] = place
        for prefix in route.api.prefixes:
            claimed = self._prefixes.setdefault(tuple(word for word in prefix.split("/") if word), owned)
            self._clashes += not _is_same(claimed.route.api, route.api)
        known = self._apis.setdefault(_steps(route.path)[0][0], [])
        if not any(_is_same(other.route.api, route.api) for other in known):
            known.append(owned)
        if route.door is Door.AT_ONCE and (literal := route.path.partition("{")[0]) != "/":
            self._at_once.add(f"GET {literal}".encode())

    def _dispute(self, place: _Place, name: str, owned: OwnedRoute) -> None:
        self._clashes += 1
        first = place.named_by
        assert first is not None, "a parameter's place remembers who named it"
        self._disputes.append(
            f"one place has two names: {{{place.name}}} in {first} of {first.owner!r} "
            f"and {{{name}}} in {owned} of {owned.owner!r}"
        )

    def _rivals(self, place: _Place) -> Iterator[str]:
        for method, first in place.routes.items():
            owners = [first.owner, *(rival.owner for rival in place.rivals if rival.route.method == method)]
            if len(owners) == 1:
                continue
            if len(set(owners)) == 1:
                yield f"{first} is served twice by {first.owner!r}"
            elif len(set(owners)) == 2:
                one, other = dict.fromkeys(owners)
                yield f"{first} is served by both {one!r} and {other!r}"
            else:
                *some, last = dict.fromkeys(owners)
                yield f"{first} is served by {', '.join(map(repr, some))} and {last!r}"
        for child in place.literals.values():
            yield from self._rivals(child)
        if place.parameter is not None:
            yield from self._rivals(place.parameter)

    def _disputed_prefixes(self) -> Iterator[str]:
        first: dict[str, OwnedRoute] = {}
        for owned in self._all:
            for prefix in owned.route.api.prefixes:
                claimed = first.setdefault(prefix, owned)
                if not _is_same(claimed.route.api, owned.route.api):
                    yield (
                        f"paths below {prefix} are answered by both {claimed.route.api.name!r} of {claimed.owner!r} "
                        f"and {owned.route.api.name!r} of {owned.owner!r}"
                    )

    first_segments: frozenset[str]
    """The literals that some path begins with: nothing else may be named so (topics)."""

    at_once: tuple[bytes, ...]
    """What every request begins with that may be answered at once, and others perhaps."""

    def __iter__(self) -> Iterator[OwnedRoute]:
        """All routes, by path and method."""
        return iter(sorted(self._all, key=lambda owned: (owned.route.path, owned.route.method, owned.owner)))

    def __len__(self) -> int:
        return len(self._all)

    # --- Matching --------------------------------------------------------------------------------------------------

    def match(self, method: str, raw_path: bytes) -> Match | Miss:
        """Which route a request means. HEAD means what GET means.

        Args:
            method: Upper case.
            raw_path: As on the request line, still percent-encoded, without the query.
        """
        place = self._by_literal_path.get(raw_path)
        params: Mapping[str, str] = _NO_PARAMS
        if place is None and (known := self._known_paths.get(raw_path)) is not None:
            place, params = known
        elif place is None:
            segments = _decode(raw_path)
            found = None if segments is None else self._find(segments)
            if found is None:
                if b"//" in raw_path:
                    # Clients that are given an address with a slash at its end ask for `//api/…`.
                    clean = _SLASHES.sub(b"/", raw_path)
                    if self._unmatched(clean).api.collapses_slashes:
                        return self.match(method, clean)
                return self._unmatched(raw_path)
            place, values = found
            params = dict(zip(place.names, values, strict=True))
            if len(raw_path) <= _LONGEST_KNOWN_PATH:
                if len(self._known_paths) >= _MOST_KNOWN_PATHS:
                    self._known_paths.clear()
                self._known_paths[raw_path] = place, params
        owned = place.routes.get("GET" if method == "HEAD" else method)
        if owned is not None:
            return Match(owned, params)
        speaker = next(iter(place.routes.values()))
        allowed = ", ".join(_allowed(place))
        refused = MethodNotAllowed(f"{method} is not served here, only {allowed}", headers={"Allow": allowed})
        return Miss(refused, speaker.route.api, speaker.owner)

    def at(self, raw_path: bytes) -> Mapping[str, OwnedRoute]:
        """The routes of a path by method; empty for a path that nobody serves."""
        place = self._by_literal_path.get(raw_path)
        if place is None:
            segments = _decode(raw_path)
            found = None if segments is None else self._find(segments)
            place = found[0] if found else None
        return place.routes if place else {}

    def _find(self, segments: Sequence[str]) -> tuple[_Place, list[str]] | None:
        values: list[str] = []
        place = _search(self._root, segments, 0, values)
        return None if place is None else (place, values)

    def _unmatched(self, raw_path: bytes) -> Miss:
        words = unquote_to_bytes(raw_path).decode("utf-8", "replace").split("/")[1:]
        speaker = None
        for length in range(min(len(words), self._longest_prefix), -1, -1):
            speaker = self._prefixes.get(tuple(words[:length]))
            if speaker is not None:
                break
        # What begins with an empty segment (`//topic`) is not below `/`, whoever serves that.
        if speaker is None and words and words[0]:
            speaker = self._only_api.get(words[0])
        refused = NotFound("Not Found")
        return Miss(refused, speaker.route.api, speaker.owner) if speaker else Miss(refused, NOBODY)


_NO_PARAMS: Mapping[str, Any] = {}


def _search(place: _Place, segments: Sequence[str], index: int, values: list[str]) -> _Place | None:
    """The place that the segments from `index` on lead to; the parameters' values are left in `values`.

    Each place of the trie is visited at most once, so a long path costs no more than the table is deep.
    """
    if index == len(segments):
        return place if place.routes else None
    segment = segments[index]
    literal = place.literals.get(segment)
    if literal is not None:
        found = _search(literal, segments, index + 1, values)
        if found is not None or index == 0:
            return found
    if place.parameter is None or not segment:
        return None
    values.append(segment)
    found = _search(place.parameter, segments, index + 1, values)
    if found is None:
        values.pop()
    return found


def allowed_methods(routes: Mapping[str, OwnedRoute]) -> list[str]:
    """What `Allow` says of a path's routes: their methods, HEAD where GET is, and OPTIONS."""
    methods = [method for method in _PREFERENCE if method in routes]
    methods += sorted(method for method in routes if method not in _PREFERENCE)
    if "GET" in methods:
        methods.insert(1, "HEAD")
    return [*methods, "OPTIONS"]


def _allowed(place: _Place) -> list[str]:
    return allowed_methods(place.routes)
