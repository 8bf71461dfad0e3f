"""Pages: rendered safely, guarded against other pages, and found at the front door."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

import jinja2
import msgspec
import pytest

from manor.auth import PUBLIC, Cookie, Kinds, Principal
from manor.errors import Forbidden
from manor.pages import Pages, front_page, local_path, redirect
from manor.routing import Head, Headers, Reply, Request, Route
from tests.core.web.serving import make_dispatcher

TEMPLATE = """{% extends "manor/base.html" %}
{% block title %}{{ title }}{% endblock %}
{% block main %}<form method="post">{{ form_field() }}</form>{% endblock %}
{% block scripts %}<script nonce="{{ nonce }}">1</script>{% endblock %}
"""


class Greeting(msgspec.Struct):
    name: str
    times: int = 1
    tags: list[str] = []


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "form.html").write_text(TEMPLATE)
    (templates / "plain.html").write_text("{{ title }} {{ person and person.user_id }} {{ static('a.css') }}")
    static = tmp_path / "static"
    static.mkdir()
    (static / "a.css").write_text("a {}")
    return Pages("doorbell", tmp_path, public_url="http://house.test")


def head(method: str = "GET", path: str = "/app/doorbell", headers: Mapping[str, str] | None = None) -> Head:
    raw = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    path, _, query = path.partition("?")
    return Head(method, path.encode(), query.encode(), headers=Headers(raw))


def request(**more: Any) -> Request[Any, Any]:
    return Request(head(**more), {}, None, None)


async def submit(
    route: Route, headers: Mapping[str, str], body: bytes = b"", principals: tuple[Principal, ...] = ()
) -> Reply:
    call = make_dispatcher([route]).begin(head("POST", route.path, headers), principals)
    answer = await call.admit() or await call.answer(body)
    assert isinstance(answer, Reply)
    return answer


def filled_in(pages: Pages, **fields: Any) -> tuple[dict[str, str], bytes]:
    """Headers and body that a browser sends for a form of ours."""
    page = pages.render(request(), "form.html", title="t")
    cookie = page.headers["Set-Cookie"].partition(";")[0]
    match = re.search(r'name="form_token" value="(\w+)"', page.body.decode())
    assert match is not None
    headers = {
        "Cookie": cookie,
        "Origin": "http://house.test",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    return headers, urlencode({"form_token": match[1], **fields}, doseq=True).encode()


@pytest.fixture
def greeted() -> list[Greeting]:
    return []


@pytest.fixture
def greet(pages: Pages, greeted: list[Greeting]) -> Route:
    async def greet(request: Request[Greeting, Any]) -> Reply:
        greeted.append(request.body)
        return redirect("/app/doorbell")

    return pages.page("POST", "/app/doorbell", greet, access=PUBLIC, form=Greeting)


# --- Rendering -----------------------------------------------------------------------------------------------------


def test_values_are_escaped(pages: Pages) -> None:
    page = pages.render(request(), "form.html", title="<script>alert(1)</script>")

    assert b"<title>&lt;script&gt;alert(1)&lt;/script&gt;</title>" in page.body


def test_a_value_that_is_missing_is_an_error(pages: Pages) -> None:
    with pytest.raises(jinja2.UndefinedError, match="title"):
        pages.render(request(), "form.html")


def test_only_scripts_with_the_pages_own_nonce_run(pages: Pages) -> None:
    first, second = (pages.render(request(), "form.html", title="t") for _ in range(2))

    nonce = re.search(rb'<script nonce="([^"]+)">', first.body)
    assert nonce is not None
    policy = first.headers["Content-Security-Policy"]
    assert f"script-src 'nonce-{nonce[1].decode()}';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert policy != second.headers["Content-Security-Policy"]


def test_a_page_that_needs_more_says_so_in_its_policy_and_keeps_the_rest(pages: Pages) -> None:
    wanted = {"worker-src": "blob:", "frame-ancestors": "*", "connect-src": "'self' https://cdn.example:8443"}
    page = pages.render(request(), "form.html", title="t", policy=wanted)

    directives = dict(each.split(" ", 1) for each in page.headers["Content-Security-Policy"].split("; "))
    assert {name: directives[name] for name in wanted} == wanted
    assert directives["default-src"] == "'none'"
    assert directives["script-src"].startswith("'nonce-")


@pytest.mark.parametrize("sources", ["", " ", "https://a; script-src *", "https://a, default-src *", "a\r\nX: y", "é"])
def test_a_policy_that_would_begin_another_directive_is_refused(pages: Pages, sources: str) -> None:
    with pytest.raises(ValueError, match="connect-src"):
        pages.render(request(), "form.html", title="t", policy={"connect-src": sources})


def test_a_page_may_send_its_origin_with_a_form(pages: Pages) -> None:
    assert pages.render(request(), "form.html", title="t").headers["Referrer-Policy"] == "same-origin"


def test_a_page_without_a_form_sets_no_cookie(pages: Pages) -> None:
    page = pages.render(request(), "plain.html", title="t")

    assert "Set-Cookie" not in page.headers
    assert re.search(rb"/static/doorbell/[0-9a-f]{16}/a\.css", page.body)


def test_the_form_cookie_is_kept_from_scripts_and_made_once(pages: Pages) -> None:
    first = pages.render(request(), "form.html", title="t").headers["Set-Cookie"]
    again = pages.render(request(headers={"Cookie": first.partition(";")[0]}), "form.html", title="t")

    assert first.endswith("; Path=/; HttpOnly; SameSite=Lax")
    assert "Set-Cookie" not in again.headers


def test_over_https_the_form_cookie_has_the_host_prefix(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "form.html").write_text("{{ form_field() }}")
    pages = Pages("doorbell", tmp_path, public_url="https://house.test")

    cookie = pages.render(request(), "form.html").headers["Set-Cookie"]

    assert cookie.startswith("__Host-manor_form=")
    assert cookie.endswith("; Secure")


async def test_the_style_sheet_that_a_page_names_is_served(pages: Pages) -> None:
    from manor.assets import core_assets

    page = pages.render(request(), "form.html", title="t")
    link = re.search(r'<link rel="stylesheet" href="([^"]+)">', page.body.decode())
    assert link is not None
    call = make_dispatcher(core_assets().routes()).begin(head(path=link[1]))

    answer = await call.admit() or await call.answer(b"")

    assert isinstance(answer, Reply)
    assert (answer.status, answer.content_type) == (200, "text/css; charset=utf-8")


# --- Forms ---------------------------------------------------------------------------------------------------------


async def test_a_form_of_ours_is_taken(pages: Pages, greet: Route, greeted: list[Greeting]) -> None:
    headers, body = filled_in(pages, name="Zo\u00eb", times="3", tags=["a", "b"])

    answer = await submit(greet, headers, body)

    assert (answer.status, answer.headers["Location"]) == (303, "/app/doorbell")
    assert greeted == [Greeting("Zo\u00eb", 3, ["a", "b"])]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"Origin": "https://evil.example"}, "Only pages of this server"),
        ({"Origin": "null"}, "Only pages of this server"),
        ({"Origin": ""}, "Only pages of this server"),
        ({"Sec-Fetch-Site": "cross-site"}, "Only pages of this server"),
        ({"Sec-Fetch-Site": "same-site"}, "Only pages of this server"),
        ({"Cookie": ""}, "This form has expired"),
        ({"Cookie": "manor_form=" + "a" * 32}, "This form has expired"),
    ],
)
async def test_a_form_from_elsewhere_is_refused(
    pages: Pages, greet: Route, greeted: list[Greeting], change: dict[str, str], why: str
) -> None:
    headers, body = filled_in(pages, name="x")
    changed = {name: value for name, value in (headers | change).items() if value}

    answer = await submit(greet, changed, body)

    assert answer.status == 403
    assert why in answer.body.decode()
    assert greeted == []


async def test_a_form_without_its_token_is_refused(pages: Pages, greet: Route) -> None:
    headers, _ = filled_in(pages)

    assert (await submit(greet, headers, b"name=x&form_token=")).status == 403


async def test_a_token_of_one_session_opens_no_other(pages: Pages, greet: Route) -> None:
    headers, body = filled_in(pages, name="x")
    somebody = Principal("web_session", user_id=UUID(int=1), credential_id=UUID(int=2))

    assert (await submit(greet, headers, body)).status == 303
    assert (await submit(greet, headers, body, (somebody,))).status == 403


async def test_a_script_sends_the_token_in_a_header(pages: Pages) -> None:
    pressed: list[str] = []
    route = pages.page("POST", "/app/doorbell/press", lambda request: pressed.append("once"), access=PUBLIC)
    headers, body = filled_in(pages)
    token = body.partition(b"=")[2].decode()

    without = await submit(route, headers)
    answer = await submit(route, headers | {"X-Form-Token": token, "Sec-Fetch-Site": "same-origin"})

    assert (without.status, answer.status) == (403, 204)
    assert pressed == ["once"]


@pytest.mark.parametrize(
    ("body", "status"), [(b"times=x&name=y", 422), (b"times=1", 422), (b"name=\xff", 400), (b"name=%ff", 400)]
)
async def test_a_form_that_does_not_fit_is_said_in_a_page(pages: Pages, greet: Route, body: bytes, status: int) -> None:
    headers, token = filled_in(pages)

    answer = await submit(greet, headers, token + b"&" + body)

    assert (answer.status, answer.content_type) == (status, "text/html; charset=utf-8")


async def test_another_kind_of_body_is_no_form(pages: Pages, greet: Route) -> None:
    headers, body = filled_in(pages, name="x")

    assert (await submit(greet, headers | {"Content-Type": "text/plain"}, body)).status == 400


# --- Around --------------------------------------------------------------------------------------------------------


async def test_who_is_not_signed_in_is_led_to_the_sign_in_page(pages: Pages) -> None:
    route = pages.page("GET", "/app/doorbell", lambda request: None, access=Kinds("web_session"))
    call = make_dispatcher([route]).begin(head())

    answer = await call.admit()

    assert answer is not None
    assert (answer.status, answer.headers["Location"]) == (302, "/login?next=%2Fapp%2Fdoorbell")


@pytest.mark.parametrize(
    ("method", "path", "referer", "back"),
    [
        ("GET", "/app/doorbell?page=2&q=a%20b", None, "/app/doorbell?page=2&q=a%20b"),
        ("POST", "/app/doorbell", "https://manor.example/app/form?token=x", "/app/form?token=x"),
        ("POST", "/app/doorbell", "https://manor.example", "/app/doorbell"),
        ("POST", "/app/doorbell", "http://[", "/app/doorbell"),
        ("POST", "/app/doorbell", None, "/app/doorbell"),
    ],
)
async def test_after_signing_in_people_go_on_where_they_were(
    pages: Pages, method: str, path: str, referer: str | None, back: str
) -> None:
    route = pages.page(method, "/app/doorbell", lambda request: None, access=Kinds("web_session"))
    sent = {} if referer is None else {"Referer": referer}
    answer = await make_dispatcher([route]).begin(head(method, path, headers=sent)).admit()

    assert answer is not None
    assert answer.headers["Location"] == "/login?next=" + quote(back, safe="")


async def test_an_error_page_carries_its_style_and_allows_nothing_else(pages: Pages) -> None:
    route = pages.page("GET", "/app/doorbell", lambda request: None, access=PUBLIC)
    answer = make_dispatcher([route]).begin(head(path="/app/doorbell")).refuse(Forbidden("No <b>entry</b>"))

    text = answer.body.decode()
    style = text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert f"'sha256-{digest}'" in policy
    assert "No &lt;b&gt;entry&lt;/b&gt;" in text


@pytest.mark.parametrize(
    ("paths", "target"), [((), "/docs"), (("/docs", "/app/topics"), "/app/topics"), (("/livez",), "/docs")]
)
async def test_the_front_page_leads_to_what_there_is(paths: tuple[str, ...], target: str) -> None:
    (route,) = front_page(paths)
    call = make_dispatcher([route]).begin(head(path="/"))

    answer = await call.admit() or await call.answer(b"")

    assert isinstance(answer, Reply)
    assert (answer.status, answer.headers["Location"]) == (302, target)


def test_a_plugin_that_serves_the_front_page_keeps_it() -> None:
    assert front_page(["/"]) == []


@pytest.mark.parametrize("elsewhere", ["//evil.example", "/\\evil.example", "https://evil.example", "", "/a\r\nb"])
def test_next_never_leads_elsewhere(elsewhere: str) -> None:
    assert local_path(elsewhere, "/app") == "/app"


def test_next_leads_to_a_path_of_ours() -> None:
    assert local_path("/app/topics?a=b") == "/app/topics?a=b"


@pytest.mark.parametrize(
    ("sent", "found"),
    [("a=1; manor_session=2", "2"), ("manor_session=1; __Host-manor_session=2", "2"), ("other=1", None), ("", None)],
)
def test_a_cookie_is_found_among_others(sent: str, found: str | None) -> None:
    assert Cookie("manor_session").find(head(headers={"Cookie": sent})) == found
