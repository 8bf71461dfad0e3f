"""JSON Schemas of what routes take and give, errors included: the shapes in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import inspect

from manor.bodies import is_raw
from manor.dialects import Dialect, ErrorContext
from manor.errors import Unauthorized
from manor.routing import Live, Reply, Route, Stream, Upgrade, WebSocket

_REF = "#/components/schemas/{name}"
_KINDS_OF_ANSWER = (Live, Reply, Stream, WebSocket)
_COLLECTIONS = (inspect.ListType, inspect.SetType, inspect.FrozenSetType, inspect.VarTupleType)

_MEANINGS = {
    302: "A browser is led to the sign-in page.",
    400: "The request cannot be understood.",
    401: "A credential is missing, unknown, expired or revoked.",
    403: "The credential is good and not enough.",
    404: "There is no such thing, or the caller may not know that there is.",
    409: "The thing is there already, or has changed.",
    410: "The thing was there, and is gone for good.",
    413: "The body is over its limit.",
    415: "Nobody reads this content type here.",
    422: "Well-formed, with a value that cannot be taken.",
    426: "This path is a WebSocket.",
    429: "Over a rate or a quota; `Retry-After` says for how many seconds.",
    503: "Not now, or not configured.",
    507: "The disk is full; nothing of the request was kept.",
}


class Schemas:
    """The schemas of all types that routes name, and of the dialects that word their errors.

    Args:
        routes: All that are described.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        types = [kind for route in routes for kind in _types_of(route)]
        structs = _structs_in(types)
        made, self._components = msgspec.json.schema_components([*types, *structs], ref_template=_REF)
        self._made = list(zip((*types, *structs), made, strict=True))
        for kind, schema in self._made[: len(types)]:
            _mark_times(inspect.type_info(kind), schema)
        for struct, info in structs.items():
            properties = self._components[_name(self._of(struct))].get("properties", {})
            for member in info.fields:
                if member.encode_name in properties:
                    _mark_times(member.type, properties[member.encode_name])
        for dialect in {route.api.dialect.name: route.api.dialect for route in routes}.values():
            self._components[_error_name(dialect)] = dict(dialect.schema)

    def _of(self, kind: Any) -> dict[str, Any]:
        return next(schema for known, schema in self._made if known is kind or known == kind)

    def query(self, route: Route) -> list[dict[str, Any]]:
        """The query struct's members as parameters."""
        if route.query is None:
            return []
        schema = self._components[_name(self._of(route.query))]
        required = schema.get("required", [])
        return [
            {"name": name, "in": "query", "required": name in required, "schema": member}
            for name, member in schema.get("properties", {}).items()
        ]

    def body(self, route: Route) -> dict[str, Any]:
        """What a request may carry."""
        if is_raw(route.body):
            return {"*/*": {}}
        return {"application/json": {"schema": self._of(route.body)}}

    def success(self, route: Route) -> dict[str, Any]:
        """What comes back when all is well."""
        opened = {"101": {"description": "The WebSocket is open."}}
        if route.websocket is Upgrade.ONLY or route.returns is WebSocket:
            return opened
        return {**({} if route.websocket is Upgrade.NO else opened), **self._answer(route)}

    def _answer(self, route: Route) -> dict[str, Any]:
        status = str(route.status)
        if route.returns is None:
            return {"204" if route.status == 204 else status: {"description": "Done."}}
        if route.returns is Live:
            stream = {"text/event-stream": {"schema": {"type": "string"}}}
            return {status: {"description": "A stream of events.", "content": stream}}
        if route.returns in (Reply, Stream, bytes):
            return {status: {"description": "The content.", "content": {"*/*": {}}}}
        return {
            status: {"description": "The answer.", "content": {"application/json": {"schema": self._of(route.returns)}}}
        }

    def errors(self, route: Route) -> dict[str, Any]:
        """What comes back otherwise, in the words of the route's dialect; 405 and the like are the default."""
        dialect = route.api.dialect
        content_type = dialect.content_type.partition(";")[0]
        content = {content_type: {"schema": {"$ref": _REF.format(name=_error_name(dialect))}}}
        told: dict[str, Any] = {}
        for status in sorted(_refusals(route)):
            told[str(status)] = {"description": _MEANINGS.get(status, "An error.")}
            if status >= 400:
                told[str(status)]["content"] = content
        told["5XX"] = {"description": "The server's fault, or not now.", "content": content}
        told["default"] = {"description": "Any other error.", "content": content}
        return told

    def used_in(self, paths: Any) -> dict[str, Any]:
        """The components that the paths refer to, directly or through each other."""
        used: dict[str, Any] = {}
        waiting = list(_references(paths))
        while waiting:
            name = waiting.pop()
            if name not in used:
                used[name] = self._components[name]
                waiting += _references(self._components[name])
        return dict(sorted(used.items()))


def _refusals(route: Route) -> set[int]:
    """The statuses that a route's fields lead to, and those that it names itself."""
    api, is_public = route.api, route.access.is_public
    statuses = {400, *route.errors}
    if api.kinds and not (is_public and api.ignores_bad_credentials):
        statuses |= {api.dialect.render(Unauthorized(""), ErrorContext()).status, 403}
    if "{" in route.path:
        statuses.add(404)
    if route.body is not None:
        statuses.add(413)
    if route.query is not None or not (route.body is None or is_raw(route.body)):
        statuses.add(api.bad_value_status)
    if route.websocket is Upgrade.ONLY:
        statuses.add(426)
    if api.anonymous_rate or api.signed_in_rate or route.rate:
        statuses.add(429)
    return statuses


def _error_name(dialect: Dialect) -> str:
    """The component's name: `DetailError`, `BasicResponseError`."""
    return "".join(word.capitalize() for word in dialect.name.split("_")) + "Error"


def _name(reference: dict[str, Any]) -> str:
    name: str = reference["$ref"].rpartition("/")[2]
    return name


def _types_of(route: Route) -> list[Any]:
    named = (route.body, route.query, route.returns)
    return [kind for kind in named if kind is not None and not is_raw(kind) and kind not in _KINDS_OF_ANSWER]


def _references(part: Any) -> Iterator[str]:
    match part:
        case dict():
            for key, value in part.items():
                if key == "$ref" and isinstance(value, str):
                    yield value.rpartition("/")[2]
                else:
                    yield from _references(value)
        case list():
            for item in part:
                yield from _references(item)


# --- Times ---------------------------------------------------------------------------------------------------------


def _structs_in(types: Sequence[Any]) -> dict[Any, inspect.StructType]:
    """Every struct that the types are made of, further down too."""
    found: dict[Any, inspect.StructType] = {}
    waiting: list[Any] = list(inspect.multi_type_info(types))
    while waiting:
        info = waiting.pop()
        match info:
            case inspect.StructType():
                if info.cls in found:
                    continue
                found[info.cls] = info
                waiting += [member.type for member in info.fields]
            case inspect.UnionType() | inspect.Metadata() | inspect.DictType():
                waiting += _inner(info)
            case inspect.ListType() | inspect.SetType() | inspect.FrozenSetType() | inspect.VarTupleType():
                waiting.append(info.item_type)
            case inspect.TupleType():
                waiting += info.item_types
    return found


def _inner(info: inspect.UnionType | inspect.Metadata | inspect.DictType) -> Sequence[inspect.Type]:
    match info:
        case inspect.UnionType():
            return info.types
        case inspect.Metadata():
            return (info.type,)
        case _:
            return (info.value_type,)


def _mark_times(info: inspect.Type, schema: dict[str, Any]) -> None:
    """Say `format: date-time` of every time: msgspec says it only of those that may not be naive."""
    match info:
        case inspect.DateTimeType():
            schema.setdefault("format", "date-time")
        case inspect.Metadata():
            _mark_times(info.type, schema)
        case inspect.UnionType():
            for arm in schema.get("anyOf", ()):
                for kind in info.types:
                    if _is_described_by(kind, arm):
                        _mark_times(kind, arm)
        case inspect.DictType():
            _mark_times(info.value_type, schema.get("additionalProperties", {}))
        case inspect.ListType() | inspect.SetType() | inspect.FrozenSetType() | inspect.VarTupleType():
            _mark_times(info.item_type, schema.get("items", {}))
        case _:
            return


def _is_described_by(kind: inspect.Type, arm: dict[str, Any]) -> bool:
    """Whether a union's arm is this kind's; a union has one kind of text, of array and of object at most."""
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    match kind:
        case inspect.DateTimeType():
            return arm.get("type") == "string"
        case inspect.DictType():
            return arm.get("type") == "object"
        case _:
            return isinstance(kind, _COLLECTIONS) and arm.get("type") == "array"
