"""The description of what is served, and its pages."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

import msgspec
import pytest

from manor import openapi
from manor.assets import core_assets
from manor.auth import ADMIN, PUBLIC, Bearer, Header, Query, Scope
from manor.dialects import BASIC_RESPONSE, DETAIL, MATTERMOST, PAGE, SELFPRIVACY, Dialect, ErrorContext
from manor.errors import BadRequest
from manor.matching import OwnedRoute, RouteTable
from manor.routing import Api, Live, Rate, Request, Route, Upgrade
from tests.core.dispatching import ask, dispatcher, head

KEYS = Api("doors", kinds=frozenset(("api_key",)), places=(Header("X-API-Key"), Bearer()))
OPEN = Api("open")


class Ring(msgspec.Struct):
    """One press of a bell."""

    door: str
    at: datetime


class Bell(msgspec.Struct):
    tone: Annotated[int, msgspec.Meta(ge=1, le=5)]
    rings: list[Ring] = []


class Paging(msgspec.Struct):
    door: str
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 50


def ring(request: Request) -> None:
    """Press the bell.

    More is not told.
    """


def route(line: str, api: Api = KEYS, access: Any = PUBLIC, **more: Any) -> Route:
    method, path = line.split()
    return Route(method, path, ring, api=api, access=access, **more)


def table(**routes: list[Route]) -> RouteTable:
    return RouteTable([OwnedRoute(owner, route) for owner, brought in routes.items() for route in brought])


def describe(*routes: Route) -> dict[str, Any]:
    return openapi.describe(table(doorbell=list(routes)))


def test_an_operation_says_what_it_takes_and_gives() -> None:
    document = describe(
        route("POST /doors/{door}/ring", body=Bell, returns=Ring, status=201, access=Scope("doors:ring"))
    )
    assert document["openapi"] == "3.1.0"
    operation = document["paths"]["/doors/{door}/ring"]["post"]
    assert operation["summary"] == "Press the bell."
    assert operation["tags"] == ["doors"]
    assert (operation["x-access"], operation["x-plugin"]) == ("scope doors:ring", "doorbell")
    assert operation["parameters"] == [{"name": "door", "in": "path", "required": True, "schema": {"type": "string"}}]
    assert operation["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Bell"}
    content = operation["responses"]["201"]["content"]
    assert content["application/json"]["schema"] == {"$ref": "#/components/schemas/Ring"}
    assert operation["security"] == [{"X-API-Key": []}, {"bearer": []}]
    assert sorted(document["components"]["schemas"]) == ["Bell", "DetailError", "Ring"]


@pytest.mark.parametrize(
    ("body", "content", "is_required"),
    [
        (bytes, "*/*", True),
        (bytes | None, "*/*", False),
        (Bell, "application/json", True),
        (Bell | None, "application/json", False),
    ],
)
def test_a_body_is_required_unless_the_route_says_that_it_may_be_left_out(
    body: object, content: str, is_required: bool
) -> None:
    described = describe(route("POST /doors", body=body))["paths"]["/doors"]["post"]["requestBody"]
    assert (list(described["content"]), described["required"]) == ([content], is_required)


def test_a_query_struct_is_described_member_by_member() -> None:
    document = describe(route("GET /rings", query=Paging, returns=list[Ring]))
    operation = document["paths"]["/rings"]["get"]
    door, limit = operation["parameters"]
    assert (door["name"], door["in"], door["required"]) == ("door", "query", True)
    assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 50}
    assert list(document["components"]["schemas"]) == ["DetailError", "Ring"]


def test_credentials_are_described_by_their_places() -> None:
    document = describe(
        route("GET /open", OPEN),
        route("GET /public"),
        route("GET /stream", places=(Query("token"),), access=ADMIN),
    )
    assert document["components"]["securitySchemes"] == {
        "X-API-Key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "bearer": {"type": "http", "scheme": "bearer"},
        "query-token": {"type": "apiKey", "in": "query", "name": "token"},
    }
    paths = document["paths"]
    assert "security" not in paths["/open"]["get"]
    assert paths["/public"]["get"]["security"] == [{}, {"X-API-Key": []}, {"bearer": []}]
    assert paths["/stream"]["get"]["security"][-1] == {"query-token": []}
    assert paths["/stream"]["get"]["x-access"] == "admin"


def test_a_websocket_is_a_get_that_says_so() -> None:
    document = describe(
        route("GET /ws", websocket=Upgrade.ONLY), route("GET /sse", returns=Live), route("GET /x", returns=Ring)
    )
    assert document["paths"]["/ws"]["get"]["x-websocket"] is True
    assert "101" in document["paths"]["/ws"]["get"]["responses"]
    assert "text/event-stream" in document["paths"]["/sse"]["get"]["responses"]["200"]["content"]
    assert "x-websocket" not in document["paths"]["/x"]["get"]


def test_known_values_of_a_parameter_are_listed_path_by_path() -> None:
    document = describe(
        route("GET /services/{service}/{action}", values={"service": ["mail", "a b"], "action": ["start", "stop"]}),
        route("GET /services/mail/stop"),
    )
    assert sorted(document["paths"]) == [
        "/services/a%20b/start",
        "/services/a%20b/stop",
        "/services/mail/start",
        "/services/mail/stop",
        "/services/{service}/{action}",
    ]
    assert "parameters" not in document["paths"]["/services/mail/start"]["get"]
    described = document["paths"]["/services/{service}/{action}"]["get"]["parameters"]
    assert described[0]["schema"]["examples"] == ["mail", "a b"]
    assert document["paths"]["/services/mail/stop"]["get"]["operationId"] == "get_services_mail_stop"


def test_one_place_never_has_two_names() -> None:
    disputed = table(
        a=[route("GET /doors/{door}"), route("GET /doors/{door}/x/{ring}")], b=[route("DELETE /doors/{name}/y")]
    )
    assert sorted(openapi.describe(disputed)["paths"]) == [
        "/doors/{door}",
        "/doors/{door}/x/{ring}",
        "/doors/{door}/y",
    ]


def test_operation_ids_are_unique_words() -> None:
    document = describe(route("GET /"), route("GET /a-b"), route("GET /a_b"), route("GET /a/{b}"), route("GET /a/b"))
    ids = [item["get"]["operationId"] for item in document["paths"].values()]
    assert len(set(ids)) == 5
    assert all(re.fullmatch(r"[a-z][A-Za-z0-9_]*", name) for name in ids)


def test_two_structs_of_one_name_are_two_schemas() -> None:
    other = msgspec.defstruct("Ring", [("volume", int)], module="elsewhere")
    document = describe(route("GET /x", returns=Ring), route("GET /y", returns=other))
    assert len(set(document["components"]["schemas"]) - {"DetailError"}) == 2


def answers(route: Route) -> dict[str, Any]:
    (operations,) = describe(route)["paths"].values()
    (operation,) = operations.values()
    responses: dict[str, Any] = operation["responses"]
    return responses


@pytest.mark.parametrize(
    ("described", "statuses"),
    [
        (route("GET /x", OPEN), "400"),
        (route("GET /x/{y}", OPEN), "400 404"),
        (route("GET /x", access=ADMIN), "400 401 403"),
        (route("GET /x", Api("page", PAGE, kinds=frozenset(("web",))), access=ADMIN), "302 400 403"),
        (route("GET /x", Api("open", kinds=frozenset(("key",)), ignores_bad_credentials=True)), "400"),
        (route("GET /x", OPEN, query=Paging), "400 422"),
        (route("POST /x", OPEN, body=Bell), "400 413 422"),
        (route("POST /x", OPEN, body=bytes), "400 413"),
        (route("POST /x", Api("old", bad_value_status=400), body=Bell), "400 413"),
        (route("GET /x", Api("counted", anonymous_rate=Rate(1))), "400 429"),
        (route("GET /x", OPEN, rate=Rate(1)), "400 429"),
        (route("GET /x", OPEN, websocket=Upgrade.ONLY), "400 426"),
        (route("POST /x", OPEN, errors=(409, 507)), "400 409 507"),
    ],
)
def test_the_refusals_that_a_route_leads_to_are_listed(described: Route, statuses: str) -> None:
    listed = {status for status in answers(described) if status not in ("101", "200")}
    assert sorted(listed - {"5XX", "default"}) == statuses.split()
    assert {"5XX", "default"} <= listed


@pytest.mark.parametrize("dialect", [DETAIL, MATTERMOST, BASIC_RESPONSE, SELFPRIVACY], ids=lambda each: each.name)
def test_an_error_is_described_as_its_dialect_words_it(dialect: Dialect) -> None:
    document = describe(route("GET /x", Api("some", dialect)))
    content = document["paths"]["/x"]["get"]["responses"]["400"]["content"]["application/json"]
    schema = document["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]

    worded = msgspec.json.decode(dialect.render(BadRequest("no"), ErrorContext()).body)

    assert schema["type"] == "object"
    if "properties" in schema:
        assert set(worded) <= set(schema["properties"])
        assert set(schema["required"]) <= set(worded)


class Times(msgspec.Struct):
    at: datetime
    perhaps: datetime | None = None
    many: list[datetime] = []
    named: dict[str, datetime | None] = {}
    noted: Annotated[datetime, msgspec.Meta(description="when")] = datetime(2026, 5, 1)  # noqa: DTZ001 - a default
    rings: list[Ring] = []


def test_every_time_says_that_it_is_one() -> None:
    schemas = describe(route("GET /x", returns=list[Times], query=Ring))["components"]["schemas"]
    members = schemas["Times"]["properties"]

    assert members["at"]["format"] == members["noted"]["format"] == members["many"]["items"]["format"] == "date-time"
    assert {"type": "string", "format": "date-time"} in members["perhaps"]["anyOf"]
    assert {"type": "string", "format": "date-time"} in members["named"]["additionalProperties"]["anyOf"]
    assert schemas["Ring"]["properties"]["at"]["format"] == "date-time"


def test_the_headers_that_a_handler_reads_are_parameters() -> None:
    document = describe(route("POST /x", headers={"X-Title": "The title.", "Idempotency-Key": "Repeats are one."}))
    title, key = document["paths"]["/x"]["post"]["parameters"]

    assert title == {
        "name": "X-Title",
        "in": "header",
        "required": False,
        "description": "The title.",
        "schema": {"type": "string"},
    }
    assert key["name"] == "Idempotency-Key"


def test_no_sign_in_is_offered_where_no_credential_is_taken() -> None:
    assert "securitySchemes" not in describe(route("GET /x", OPEN))["components"]


def test_a_stream_that_upgrades_too_says_both() -> None:
    responses = answers(route("GET /x", OPEN, returns=Live, websocket=Upgrade.YES))

    assert responses["200"]["content"] == {"text/event-stream": {"schema": {"type": "string"}}}
    assert "101" in responses


def test_the_order_in_which_plugins_came_does_not_matter() -> None:
    one = [route("GET /x", returns=Bell), route("POST /y", body=Ring)]
    other = [route("GET /z", query=Paging)]
    first, second = table(a=one, b=other), table(b=other, a=list(reversed(one)))
    assert msgspec.json.encode(openapi.describe(first)) == msgspec.json.encode(openapi.describe(second))


def test_static_files_are_not_described() -> None:
    assert openapi.describe(table(core=core_assets().routes()))["paths"] == {}


def test_every_reference_leads_somewhere() -> None:
    document = describe(route("POST /x", body=Bell, returns=list[Bell]), route("GET /y", query=Paging))
    text = msgspec.json.encode(document).decode()
    wanted = set(re.findall(r'"#/components/schemas/([^"]+)"', text))
    assert wanted == set(document["components"]["schemas"]) == {"Bell", "DetailError", "Ring"}


# --- The pages -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_the_pages_load_nothing_from_elsewhere_and_no_inline_script(path: str) -> None:
    made = dispatcher(*openapi.routes(lambda: {"openapi": "3.1.0"}))
    page = await ask(made, head(f"GET {path}"))
    text = page.body.decode()
    urls = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert urls
    for url in urls:
        assert url.startswith("/")
        assert (await ask(made, head(f"GET {url}"))).status == 200
    assert re.findall(r"<script[^>]*>[^<]+</script>|<style| on\w+=", text) == []
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "http" not in policy


async def test_the_document_is_made_once_and_served() -> None:
    made: list[int] = []

    def document() -> dict[str, Any]:
        made.append(1)
        return {"openapi": "3.1.0"}

    doors = dispatcher(*openapi.routes(document))
    for _ in range(2):
        reply = await ask(doors, head("GET /openapi.json"))
        assert (reply.body, reply.content_type) == (b'{"openapi":"3.1.0"}', "application/json")
    assert made == [1]
