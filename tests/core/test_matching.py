"""Which route a path means, and who answers when it means none."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from manor.auth import PUBLIC
from manor.dialects import BASIC_RESPONSE, DETAIL, MATTERMOST, SELFPRIVACY
from manor.errors import MethodNotAllowed, NotFound
from manor.matching import Match, Miss, OwnedRoute, RouteTable
from manor.routing import Api, Request, Route, Upgrade

TOPICS = Api("topics", DETAIL)
CHAT = Api("chat", MATTERMOST, prefixes=("/api/v4",))
STREAM = Api("stream", BASIC_RESPONSE, prefixes=("/api/admin", "/api/integrations"), credential_first=True)
STREAM_PAGES = Api("stream pages", BASIC_RESPONSE)
HOST = Api("host", SELFPRIVACY, prefixes=("/services", "/users"), credential_first=True)


def answer(request: Request) -> None:
    """Nothing."""


def route(line: str, api: Api = TOPICS, **more: Any) -> Route:
    method, path = line.split()
    return Route(method, path, answer, api=api, access=PUBLIC, **more)


def table(**lines: list[str] | list[Route]) -> RouteTable:
    """A table of `owner=["GET /path", …]`."""
    made = RouteTable()
    for owner, routes in lines.items():
        faults = made.add(owner, [route(item) if isinstance(item, str) else item for item in routes])
        assert faults == []
    return made


def found(made: RouteTable, line: str) -> tuple[str, dict[str, str]]:
    method, path = line.split(" ", 1)
    match = made.match(method, path.encode())
    assert isinstance(match, Match), match
    return match.owned.route.path, dict(match.params)


def missed(made: RouteTable, line: str) -> Miss:
    method, path = line.split(" ", 1)
    miss = made.match(method, path.encode("latin-1"))
    assert isinstance(miss, Miss), miss
    return miss


TOPIC_ROUTES = [
    "GET /",
    "POST /{topic}",
    "PUT /{topic}",
    "GET /{topic}/json",
    "GET /api/topics",
    "POST /api/topics",
    "GET /api/topics/my",
    "GET /api/topics/{topic}",
    "PATCH /api/topics/{topic}",
    "GET /api/topics/{topic}/messages",
    "DELETE /api/{topic_name}/messages/{message}",
]


def test_a_parameter_takes_a_whole_decoded_segment() -> None:
    made = table(topics=TOPIC_ROUTES)
    assert found(made, "POST /welcome") == ("/{topic}", {"topic": "welcome"})
    assert found(made, "POST /caf%C3%A9%20x") == ("/{topic}", {"topic": "café x"})
    assert found(made, "POST /café") == ("/{topic}", {"topic": "café"})
    assert found(made, "POST /a+b") == ("/{topic}", {"topic": "a+b"})


def test_an_encoded_slash_separates_nothing() -> None:
    made = table(topics=TOPIC_ROUTES)
    assert found(made, "POST /a%2Fjson") == ("/{topic}", {"topic": "a/json"})
    assert isinstance(missed(made, "GET /a%2Fjson").refused, MethodNotAllowed)


def test_the_root_is_a_path_like_any_other() -> None:
    assert found(table(topics=TOPIC_ROUTES), "GET /") == ("/", {})
    assert isinstance(missed(table(topics=["POST /{topic}"]), "GET /").refused, NotFound)


def test_a_literal_wins_over_a_parameter() -> None:
    made = table(topics=TOPIC_ROUTES)
    assert found(made, "GET /api/topics/my") == ("/api/topics/my", {})
    assert found(made, "GET /api/topics/mine") == ("/api/topics/{topic}", {"topic": "mine"})


def test_a_percent_encoded_literal_is_that_literal() -> None:
    made = table(topics=TOPIC_ROUTES)
    assert found(made, "GET /%61pi/topics") == ("/api/topics", {})
    assert isinstance(missed(made, "GET /%61pi/json").refused, NotFound)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "FROB"])
@pytest.mark.parametrize("path", ["/logo", "/users", "/system/json", "/%75sers"])
def test_a_registered_first_segment_never_reaches_a_parameter(method: str, path: str) -> None:
    made = table(topics=TOPIC_ROUTES, stream=["GET /logo/{size}"], host=["GET /users/{name}", "GET /system/ssh"])
    miss = missed(made, f"{method} {path}")
    assert isinstance(miss.refused, NotFound)


def test_deeper_segments_look_for_another_path() -> None:
    made = table(topics=TOPIC_ROUTES)
    assert found(made, "DELETE /api/topics/messages/7") == (
        "/api/{topic_name}/messages/{message}",
        {"topic_name": "topics", "message": "7"},
    )
    assert found(made, "GET /api/topics/my/messages") == ("/api/topics/{topic}/messages", {"topic": "my"})


def test_the_most_specific_path_decides_whatever_its_methods() -> None:
    miss = missed(table(topics=TOPIC_ROUTES), "PATCH /api/topics/my")
    assert isinstance(miss.refused, MethodNotAllowed)
    assert miss.refused.headers == {"Allow": "GET, HEAD, OPTIONS"}


def test_a_wrong_method_names_all_that_are_served() -> None:
    made = table(topics=TOPIC_ROUTES)
    assert missed(made, "DELETE /welcome").refused.headers == {"Allow": "POST, PUT, OPTIONS"}
    assert missed(made, "DELETE /api/topics").refused.headers == {"Allow": "GET, HEAD, POST, OPTIONS"}
    assert missed(made, "get /api/topics").refused.status == 405


def test_head_means_what_get_means() -> None:
    made = table(topics=TOPIC_ROUTES)
    assert found(made, "HEAD /welcome/json") == ("/{topic}/json", {"topic": "welcome"})
    assert missed(made, "HEAD /welcome").refused.status == 405


@pytest.mark.parametrize(
    "path",
    [
        "/api/topics/",
        "/welcome/",
        "//",
        "//json",
        "/api//messages",
        "/api/topics//messages",
        "/welcome/json/",
        "/welcome/json/more",
        "/api/topics/a/b/c/d",
    ],
)
def test_empty_and_surplus_segments_are_another_path(path: str) -> None:
    assert missed(table(topics=TOPIC_ROUTES), f"GET {path}").refused.status == 404


def test_a_route_may_end_with_a_slash() -> None:
    made = table(stream=["GET /admin/"], topics=["POST /{topic}"])
    assert found(made, "GET /admin/") == ("/admin/", {})
    assert missed(made, "GET /admin").refused.status == 404


@pytest.mark.parametrize(
    "path", ["", "welcome", "/%", "/%zz", "/%f", "/a%2", "/%ff", "/\xff", "/%C3", "/%ed%a0%80", "*"]
)
def test_a_path_that_is_no_utf_8_or_no_path_is_not_found(path: str) -> None:
    miss = missed(table(topics=TOPIC_ROUTES), f"POST {path}")
    assert isinstance(miss.refused, NotFound)
    assert miss.api.dialect is DETAIL


def test_a_path_of_ten_thousand_segments_is_not_found() -> None:
    made = table(topics=TOPIC_ROUTES)
    assert missed(made, "GET " + "/a" * 10_000).refused.status == 404
    assert missed(made, "GET /api" + "/topics" * 10_000).refused.status == 404


def test_the_longest_prefix_words_what_nobody_serves() -> None:
    made = table(
        topics=TOPIC_ROUTES,
        chat=[route("GET /api/v4/users", CHAT)],
        stream=[route("GET /api/admin/status", STREAM)],
        host=[route("GET /services/status", HOST)],
    )
    words = {
        "/api/v4/nothing": "chat",
        "/api/v4": "chat",
        "/api/v4x": "unmatched",
        "/api/admin/nothing/at/all": "stream",
        "/api/integrations": "stream",
        "/api/nothing/at": "unmatched",
        "/services/nothing": "host",
        "/users/bob/nothing": "host",
        "/a/b/c": "unmatched",
    }
    assert {path: missed(made, f"GET {path}").api.name for path in words} == words
    assert missed(made, "GET /services/nothing").owner == "host"
    assert missed(made, "GET /a/b/c").owner == "core"


def test_of_two_prefixes_the_longer_one_wins() -> None:
    wide = Api("wide", DETAIL, prefixes=("/api", "/"))
    made = table(chat=[route("GET /api/v4/users", CHAT)], topics=[route("GET /api/topics", wide)])
    assert missed(made, "GET /api/v4/nothing").api == CHAT
    assert missed(made, "GET /api/nothing").api == missed(made, "GET /nothing").api == wide


def test_a_first_segment_of_one_api_is_answered_by_it() -> None:
    made = table(stream=[route("GET /hls/{file}", STREAM_PAGES)], topics=["POST /{topic}"])
    assert missed(made, "GET /hls/a/b").api == STREAM_PAGES
    assert missed(made, "GET /hls").api == STREAM_PAGES


def test_a_wrong_method_is_worded_by_the_paths_own_routes() -> None:
    made = table(topics=TOPIC_ROUTES, chat=[route("GET /api/v4/topics/x", CHAT)])
    assert missed(made, "POST /api/v4/topics/x").api == CHAT
    assert missed(made, "PATCH /api/topics").api == TOPICS


def test_first_segments_are_the_reserved_names() -> None:
    made = table(topics=TOPIC_ROUTES, host=["GET /users", "GET /services/status", "GET /services/{id}"])
    assert made.first_segments == {"api", "users", "services"}


def test_two_plugins_with_one_route_are_both_named() -> None:
    made = table(
        doorbell=["POST /doors/{door}/ring"], chat=["POST /doors/{door}/ring", "GET /doors"], stream=["GET /doors"]
    )
    assert [str(problem) for problem in made.collisions()] == [
        "GET /doors is served by both 'chat' and 'stream'",
        "POST /doors/{door}/ring is served by both 'doorbell' and 'chat'",
    ]


def test_three_plugins_with_one_route_are_all_named() -> None:
    made = table(a=["GET /x"], b=["GET /x"], c=["GET /x"])
    assert [str(problem) for problem in made.collisions()] == ["GET /x is served by 'a', 'b' and 'c'"]


def test_one_path_with_two_methods_is_no_collision() -> None:
    assert table(a=["GET /x"], b=["POST /x"]).collisions() == []


def test_two_names_for_one_place_are_told_with_both_routes() -> None:
    made = table(a=["GET /api/{topic}/x"], b=["GET /api/{name}/y"])
    assert [str(problem) for problem in made.collisions()] == [
        "one place has two names: {topic} in GET /api/{topic}/x of 'a' and {name} in GET /api/{name}/y of 'b'"
    ]


def test_two_apis_with_one_prefix_are_told() -> None:
    other = Api("other", DETAIL, prefixes=("/api/v4",))
    made = table(chat=[route("GET /api/v4/x", CHAT)], other=[route("GET /api/v4/y", other)])
    assert "paths below /api/v4 are answered by both 'chat' of 'chat' and 'other' of 'other'" in [
        str(problem) for problem in made.collisions()
    ]


class NotDecodable(msgspec.Struct):
    a: dict[str, int] | list[int] | set[int]


@pytest.mark.parametrize(
    ("routes", "fault"),
    [
        (["GET /x", "GET /x"], "GET /x is served twice by 'bad'"),
        (["GET /{a}/x", "GET /{b}/y"], "one place has two names"),
        (["HEAD /x"], "HEAD is answered from GET"),
        (["OPTIONS /x"], "neither is declared"),
        (["get /x"], "not an upper-case word"),
        (["GET x"], "does not begin with a slash"),
        (["GET /x/{id}.json"], "a parameter is a whole segment"),
        (["GET /x/{Id}"], "a parameter is a whole segment"),
        (["GET /x/{}"], "a parameter is a whole segment"),
        (["GET /{a}/{a}"], "two parameters are called 'a'"),
        (["GET //x"], "an empty segment"),
        ([route("POST /x", websocket=Upgrade.ONLY)], "a WebSocket handshake is a GET"),
        ([route("GET /x", headers={"X Title": "a title"})], "'X Title' is no header's name"),
        ([route("GET /x", errors=(404, 200))], "errors= names 200, which is no error"),
        ([route("GET /x", deadline=0)], "the deadline is not positive"),
        ([route("GET /x", values={"door": ["a"]})], "values for 'door', which is no parameter of it"),
        ([route("POST /x", body=NotDecodable)], "the body's type does not fit JSON"),
        ([route("GET /x", returns=object())], "the answer's type does not fit JSON"),
        ([route("GET /x", query=dict)], "query is not a struct type"),
        ([route("GET /x", Api("x", bad_value_status=500))], "neither 400 nor 422"),
        ([Route("GET", "/x", answer, api=TOPICS, access=None)], "no access= rule"),  # type: ignore[arg-type]
    ],
)
def test_a_plugins_own_fault_is_told_and_none_of_its_routes_is_taken(routes: list[Any], fault: str) -> None:
    made = table(good=["GET /good"])
    (told, *_) = made.add("bad", [route("GET /fine"), *(route(x) if isinstance(x, str) else x for x in routes)])
    assert fault in told
    assert [owned.owner for owned in made] == ["good"]
    assert missed(made, "GET /fine").refused.status == 404


def test_a_plugin_that_is_removed_leaves_no_trace() -> None:
    made = table(topics=TOPIC_ROUTES, bad=["GET /bad", "PATCH /{name}", "DELETE /api/topics", "GET /api/topics"])
    assert len(made.collisions()) == 2
    made.remove("bad")
    assert made.collisions() == []
    assert "bad" not in made.first_segments
    assert found(made, "POST /bad") == ("/{topic}", {"topic": "bad"})


def test_all_routes_come_in_one_order() -> None:
    one = [str(owned) for owned in table(b=["POST /b", "GET /b"], a=["GET /a"])]
    other = [str(owned) for owned in table(a=["GET /a"], b=["GET /b", "POST /b"])]
    assert one == other == ["GET /a", "GET /b", "POST /b"]
    assert len(RouteTable([OwnedRoute("a", route("GET /a"))])) == 1


# --- A slash too many ----------------------------------------------------------------------------------------------


def test_an_api_that_collapses_slashes_takes_several_for_one() -> None:
    table = RouteTable()
    lenient = Api("lenient", prefixes=("/api/v4",), collapses_slashes=True)
    table.add("chat", [route("GET /api/v4/posts/{post_id}/reactions", lenient), route("GET /plain/posts")])

    found = table.match("GET", b"/api/v4/posts/abc//reactions")

    assert isinstance(found, Match)
    assert found.params == {"post_id": "abc"}
    assert isinstance(table.match("GET", b"//api//v4/posts/abc/reactions"), Match)
    assert isinstance(table.match("GET", b"/api/v4//nonesuch//"), Miss)
    assert isinstance(table.match("GET", b"//plain/posts"), Miss)
    assert isinstance(table.match("GET", b"/plain//posts"), Miss)


def test_a_path_that_was_asked_for_before_means_what_the_table_says_now() -> None:
    table = RouteTable()
    assert table.add("topics", [route("GET /{topic}")]) == []
    asked = [table.match("GET", b"/alarms"), table.match("GET", b"/alarms"), table.match("POST", b"/alarms")]
    assert [found.params if isinstance(found, Match) else "missed" for found in asked] == [
        {"topic": "alarms"},
        {"topic": "alarms"},
        "missed",
    ]

    assert table.add("bells", [route("GET /alarms")]) == []
    found = table.match("GET", b"/alarms")
    assert isinstance(found, Match)
    assert (found.owned.owner, found.params) == ("bells", {})

    table.remove("bells")
    table.remove("topics")
    assert isinstance(table.match("GET", b"/alarms"), Miss)
