"""What the house serves, as an OpenAPI 3.1 document and as pages for people."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from manor.assets import STATIC, Assets, core_assets
from manor.auth import PUBLIC, Bearer, Header, Place, Query
from manor.bodies import may_be_left_out
from manor.matching import Match, OwnedRoute, RouteTable
from manor.routing import Api, Reply, Request, Route, Upgrade
from manor.schemas import Schemas

_NOT_A_WORD = re.compile(r"[^A-Za-z0-9_]")

DOCS = Api("documentation", places=())
"""The description of the API; open to all."""

# Both viewers write style elements and attributes as they draw; scripts come from our own files only, and no request
# leaves for another host (Redoc's logo, Swagger's validator).
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


# --- The document --------------------------------------------------------------------------------------------------


def describe(
    table: RouteTable, *, title: str = "Manor", version: str = "0.1.0", public_url: str = ""
) -> dict[str, Any]:
    """Make the OpenAPI 3.1 document of a table; the same table always gives the same document.

    Static files are left out. A WebSocket is a GET with `x-websocket: true`; `x-access` says who may call, and
    `x-plugin` who serves it. A parameter with `Route.values` is listed path by path, besides the path itself.

    Args:
        table: The routes.
        title: Of the API.
        version: Of the daemon.
        public_url: As people reach the server; "" leaves the servers out.
    """
    listed = [owned for owned in table if owned.route.api is not STATIC]
    schemas = Schemas([owned.route for owned in listed])
    paths: dict[str, dict[str, Any]] = {}
    names = _Names()
    for owned in listed:
        for path in names.paths(owned, table):
            paths.setdefault(path, {})[owned.route.method.lower()] = _operation(owned, path, schemas)
    document: dict[str, Any] = {"openapi": "3.1.0", "info": {"title": title, "version": version}}
    if public_url:
        document["servers"] = [{"url": public_url}]
    document["paths"] = dict(sorted(paths.items()))
    _tell_apart(document["paths"])
    document["components"] = {"schemas": schemas.used_in(document["paths"])}
    security = _security_schemes(listed)
    if security:  # an empty table of schemes would make the viewers offer a sign-in that leads nowhere
        document["components"]["securitySchemes"] = dict(sorted(security.items()))
    return document


class _Names:
    """One name for each parameter's place, whatever the routes call it: OpenAPI knows no two."""

    def __init__(self) -> None:
        self._by_place: dict[str, str] = {}

    def paths(self, owned: OwnedRoute, table: RouteTable) -> Iterator[str]:
        """The paths that a route is listed under: its own, and one for each of its parameters' known values."""
        segments = owned.route.path.split("/")
        yield self._template(segments)
        valued = [index for index, part in enumerate(segments) if part[:1] == "{" and part[1:-1] in owned.route.values]
        if not valued:
            return
        choices = [owned.route.values[segments[index][1:-1]] for index in valued]
        for values in itertools.product(*choices):
            literal = list(segments)
            for index, value in zip(valued, values, strict=True):
                literal[index] = quote(value, safe="")
            # Where a literal route of its own serves the value, that one is listed.
            probe = "/".join("-" if part[:1] == "{" else part for part in literal)
            found = table.match(owned.route.method, probe.encode())
            if isinstance(found, Match) and found.owned is owned:
                yield self._template(literal)

    def _template(self, segments: list[str]) -> str:
        place, path = "", []
        for part in segments:
            if part[:1] != "{":
                place += f"/{part}"
                path.append(part)
                continue
            place += "/{}"
            path.append("{" + self._by_place.setdefault(place, part[1:-1]) + "}")
        return "/".join(path)


def _operation(owned: OwnedRoute, path: str, schemas: Schemas) -> dict[str, Any]:
    route = owned.route
    operation: dict[str, Any] = {
        "operationId": _operation_id(route.method, path),
        "summary": route.summary or _first_line(route.handler),
        "tags": [route.tag or route.api.name],
        "x-access": str(route.access),
        "x-plugin": owned.owner,
    }
    if route.websocket is not Upgrade.NO:
        operation["x-websocket"] = True
    parameters = [_path_parameter(part[1:-1], route.values) for part in path.split("/") if part[:1] == "{"]
    parameters += schemas.query(route)
    parameters += [_header_parameter(name, meaning) for name, meaning in route.headers.items()]
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = {"content": schemas.body(route), "required": not may_be_left_out(route.body)}
    operation["responses"] = {**schemas.success(route), **schemas.errors(route)}
    security = _security(route)
    if security:
        operation["security"] = security
    return operation


def _operation_id(method: str, path: str) -> str:
    parts = (f"by_{part[1:-1]}" if part[:1] == "{" else part for part in path.split("/") if part)
    words = "_".join(parts) or "root"
    return f"{method.lower()}_{_NOT_A_WORD.sub('_', words)}"


def _tell_apart(paths: Mapping[str, Mapping[str, Any]]) -> None:
    """Number the operations whose paths differ only in signs that an identifier cannot hold."""
    seen: Counter[str] = Counter()
    for item in paths.values():
        for operation in item.values():
            name = operation["operationId"]
            seen[name] += 1
            if seen[name] > 1:
                operation["operationId"] = f"{name}_{seen[name]}"


def _first_line(handler: Any) -> str:
    text = (getattr(handler, "__doc__", None) or "").strip()
    return text.splitlines()[0] if text else ""


def _path_parameter(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if name in values:
        schema["examples"] = list(values[name])
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _header_parameter(name: str, meaning: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "description": meaning, "schema": {"type": "string"}}


# --- Credentials ---------------------------------------------------------------------------------------------------


def _scheme(place: Place) -> tuple[str, dict[str, str]] | None:
    """How OpenAPI names a place for credentials."""
    match place:
        case Bearer():
            return "bearer", {"type": "http", "scheme": "bearer"}
        case Header():
            return place.name, {"type": "apiKey", "in": "header", "name": place.name}
        case Query():
            return f"query-{place.name}", {"type": "apiKey", "in": "query", "name": place.name}
        case _:
            return None


def _places(route: Route) -> list[Place]:
    return [*route.api.places, *route.places] if route.api.kinds else []


def _security_schemes(listed: list[OwnedRoute]) -> dict[str, Any]:
    found = (_scheme(place) for owned in listed for place in _places(owned.route))
    return dict(scheme for scheme in found if scheme is not None)


def _security(route: Route) -> list[dict[str, list[str]]]:
    schemes = [scheme for scheme in map(_scheme, _places(route)) if scheme is not None]
    either: list[dict[str, list[str]]] = [{name: []} for name, _ in schemes]
    return [{}, *either] if either and route.access.is_public else either


# --- The pages -----------------------------------------------------------------------------------------------------


def routes(document: Callable[[], dict[str, Any]], assets: Assets | None = None) -> list[Route]:
    """The routes of `/openapi.json`, `/docs` (Swagger UI), `/redoc` and their files; none needs another host.

    Args:
        document: Makes the document; asked once, at the first request.
        assets: The core's static files; read from the package when not given.
    """
    assets = assets or core_assets()
    pages = _Pages(document, assets)
    return [
        Route("GET", "/openapi.json", pages.openapi, api=DOCS, access=PUBLIC, returns=Reply),
        Route("GET", "/docs", pages.docs, api=DOCS, access=PUBLIC, returns=Reply),
        Route("GET", "/redoc", pages.redoc, api=DOCS, access=PUBLIC, returns=Reply),
        *assets.routes(),
    ]


class _Pages:
    def __init__(self, document: Callable[[], dict[str, Any]], assets: Assets) -> None:
        self._document = document
        self._encoded = b""
        self._docs = _page(assets, "swagger-ui-bundle.js", "docs/swagger.js", style="vendor/swagger-ui.css")
        self._redoc = _page(assets, "redoc.standalone.js", "docs/redoc.js")

    def openapi(self, request: Request) -> Reply:
        """The description of everything that is served, as OpenAPI 3.1."""
        if not self._encoded:
            self._encoded = msgspec.json.encode(self._document())
        return Reply(self._encoded, headers={"Cache-Control": "no-cache"})

    def docs(self, request: Request) -> Reply:
        """The API as pages to try it out (Swagger UI)."""
        return self._docs

    def redoc(self, request: Request) -> Reply:
        """The API as a page to read (Redoc)."""
        return self._redoc


def _page(assets: Assets, viewer: str, start: str, *, style: str = "") -> Reply:
    styles = [assets.url(name) for name in (style, "docs/docs.css") if name]
    links = "".join(f'<link rel="stylesheet" href="{url}">' for url in styles)
    body = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Manor: the API</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{links}</head><body>'
        '<div id="docs" data-document="/openapi.json"></div>'
        '<noscript>This page needs JavaScript; <a href="/openapi.json">the description itself</a> does not.</noscript>'
        f'<script src="{assets.url(f"vendor/{viewer}")}"></script><script src="{assets.url(start)}"></script>'
        "</body></html>"
    )
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
    return Reply(body.encode(), 200, "text/html; charset=utf-8", headers)
