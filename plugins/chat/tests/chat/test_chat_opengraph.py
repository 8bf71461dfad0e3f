"""Previews of pages, the image proxy, and where addresses lead: for people, and never into our own network."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

import pytest

from manor.testing import Answer, Client
from manor_chat.domain.opengraph import is_web_address, read_page
from tests.chat_files import picture
from tests.chat_people import API, Crew
from tests.core.outgoing_servers import open_server, plain, redirect

OPEN = {"server": {"outgoing": {"allow": ["127.0.0.1"]}}}
HTML = "Content-Type: text/html; charset=utf-8\r\n"
PAGE = """<!DOCTYPE html><html><head><title>Not this</title>
<meta charset="utf-8"><meta name="description" content="Nor this">
<meta property="og:title" content="Caf&eacute; &quot;Zwei&quot;">
<meta property='og:description' content='It&#39;s
  open'>
<meta property="og:type" content="website"><META content="The site" PROPERTY="og:site_name"/>
<meta property="og:url" content="/here"><meta property="og:image" content="/a.png">
<meta property="og:image:width" content="300"><meta property="og:image:height" content="x">
<meta property="og:image" content="javascript:alert(1)">
</head><body></body></html>"""


def code(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["id"]


async def preview(client: Client, url: str) -> Any:
    answer = await client.post(f"{API}/opengraph", json={"url": url})
    assert answer.status == 200, answer.text
    return answer.json()


async def image(client: Client, url: str) -> Answer:
    return await client.get(f"{API}/image?url={quote(url, safe='')}")


@pytest.mark.manor(config=OPEN)
async def test_a_page_says_what_it_is(crew: Crew) -> None:
    async with open_server(plain(PAGE.encode(), headers=HTML)) as server:
        url = f"{server.url}/page"

        assert await preview(crew.ann.client, url) == {
            "url": f"{server.url}/here",
            "type": "website",
            "title": 'Café "Zwei"',
            "description": "It's open",
            "site_name": "The site",
            "images": [{"url": f"{server.url}/a.png", "secure_url": "", "type": "", "width": 300, "height": 0}],
        }
        await preview(crew.bob.client, url)
        assert server.connections == 1


@pytest.mark.manor(config=OPEN)
@pytest.mark.parametrize(
    "answer",
    [
        plain(PAGE.encode(), status="404 Not Found", headers=HTML),
        plain(PAGE.encode(), headers="Content-Type: text/plain\r\n"),
        plain(b"\x00" * 3_000_000, headers=HTML),
        plain(b"", headers=HTML),
        redirect("http://10.0.0.1/"),
        redirect("file:///etc/passwd"),
    ],
    ids=["missing", "text", "endless", "empty", "inward", "file"],
)
async def test_a_page_that_cannot_be_had_is_its_address(crew: Crew, answer: Any) -> None:
    async with open_server(answer) as server:
        assert await preview(crew.ann.client, f"{server.url}/x") == {"url": f"{server.url}/x"}


async def test_nobody_looks_into_our_own_network(crew: Crew) -> None:
    async with open_server(plain(PAGE.encode(), headers=HTML + "Location: https://example.org\r\n")) as server:
        for url in (server.url, f"http://localhost:{server.port}/", f"http://[::1]:{server.port}/"):
            assert await preview(crew.ann.client, url) == {"url": url}
            assert code(await image(crew.ann.client, url)) == (400, "api.image.get.app_error")
            place = await crew.ann.client.get(f"{API}/redirect_location?url={quote(url)}")
            assert place.json() == {"location": ""}
        assert server.connections == 0


@pytest.mark.manor(config=OPEN)
async def test_nobody_looks_on_behalf_of_who_has_not_signed_in(crew: Crew) -> None:
    async with open_server(plain(PAGE.encode(), headers=HTML)) as server:
        anybody = Client(crew.house.dispatcher)

        assert await preview(anybody, server.url) == {"url": server.url}
        assert (await image(anybody, server.url)).status == 401
        assert (await anybody.get(f"{API}/redirect_location?url={quote(server.url)}")).status == 401
        assert server.connections == 0


async def test_what_is_no_web_address_is_refused(crew: Crew) -> None:
    ann = crew.ann.client
    in_body = (400, "api.context.invalid_body_param.app_error")
    in_query = (400, "api.context.invalid_url_param.app_error")
    for url in ("", "ftp://x.test/", "javascript:alert(1)", "//x.test", "http://", "x" * 3000, "http://["):
        assert code(await ann.post(f"{API}/opengraph", json={"url": url})) == in_body
        assert code(await ann.get(f"{API}/redirect_location?url={quote(url)}")) == in_query
        assert code(await image(ann, url)) == (400, "api.image.get.app_error")


@pytest.mark.manor(config=OPEN)
async def test_a_picture_of_another_server_comes_through_ours(crew: Crew) -> None:
    content = picture()
    async with open_server(plain(content, headers="Content-Type: text/html\r\nSet-Cookie: a=b\r\n")) as server:
        url = f"{server.url}/a.png?x=1&y=2"

        answer = await image(crew.ann.client, url)

        assert (answer.status, answer.body) == (200, content)
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["cache-control"] == "max-age=86400, private"
        assert "sandbox" in answer.headers["content-security-policy"]
        assert "set-cookie" not in answer.headers
        again = await crew.bob.client.get(
            f"{API}/image?url={quote(url, safe='')}", headers={"If-None-Match": answer.headers["etag"]}
        )
        assert again.status == 304
        assert b"/a.png?x=1&y=2 " in server.requests[0]
        assert server.connections == 1


@pytest.mark.manor(config=OPEN)
@pytest.mark.parametrize(
    "answer",
    [
        plain(
            b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", headers="Content-Type: image/svg+xml\r\n"
        ),
        plain(PAGE.encode(), headers="Content-Type: image/png\r\n"),
        plain(picture(), status="403 Forbidden"),
        plain(picture() + bytes(9_000_000)),
        redirect("http://169.254.169.254/latest"),
    ],
    ids=["svg", "page", "forbidden", "large", "inward"],
)
async def test_what_is_no_picture_does_not_come_through(crew: Crew, answer: Any) -> None:
    async with open_server(answer) as server:
        assert code(await image(crew.ann.client, server.url)) == (400, "api.image.get.app_error")


@pytest.mark.manor(config=OPEN)
async def test_where_an_address_leads_is_told_and_not_followed(crew: Crew) -> None:
    async with open_server(redirect("/long?x=1"), plain()) as server:
        path = f"{API}/redirect_location?url={quote(server.url + '/s', safe='')}"

        assert (await crew.ann.client.get(path)).json() == {"location": f"{server.url}/long?x=1"}
        assert (await crew.ann.client.get(path)).json() == {"location": f"{server.url}/long?x=1"}
        assert server.requests[0].startswith(b"HEAD /s ")
        straight = f"{API}/redirect_location?url={quote(server.url, safe='')}"
        assert (await crew.ann.client.get(straight)).json() == {"location": ""}
        assert server.connections == 2


@pytest.mark.manor(config={"plugins": {"chat": {"link_previews": False, "image_proxy": False}}})
async def test_looking_can_be_switched_off(crew: Crew) -> None:
    ann = crew.ann.client
    off = (501, "api.post.link_preview_disabled.app_error")
    assert code(await ann.post(f"{API}/opengraph", json={"url": "https://example.org"})) == off
    assert (await ann.get(f"{API}/redirect_location?url=https://example.org")).json() == {"location": ""}
    assert code(await image(ann, "https://example.org/a.png")) == (501, "api.image.get.app_error")
    told = (await ann.get(f"{API}/config/client")).json()
    assert (told["HasImageProxy"], told["EnableLinkPreviews"], told["EnableCustomEmoji"]) == ("false", "false", "true")


# --- Reading pages -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("text/html; charset=iso-8859-1", "<title>Grüße</title>".encode("latin-1")),
        ("text/html", "<meta charset=windows-1252><title>Grüße</title>".encode("cp1252")),
        ("text/html; charset=nonsense", "<title>Grüße</title>".encode()),
        ("text/html; charset=punycode", "<title>Grüße</title>".encode()),
        ("text/html", "<title>\n Grüße \n</title>".encode()),
        ("text/html", '<meta property="og:title" content="Grüße"><title>x</title>'.encode()),
        ("text/html", "<meta property=og:title content=Grüße>".encode()),
    ],
)
def test_a_page_is_read_in_its_own_letters(kind: str, content: bytes) -> None:
    assert read_page("https://x.test", kind, content).title == "Grüße"


@pytest.mark.parametrize(
    "content",
    [
        b"<meta " * 200_000,
        b'<meta content="' * 100_000,
        b"<meta a=" * 150_000,
        b"<title>" * 150_000,
        b"<meta property=og:image content=a>" * 40_000,
        b'<meta property="og:title" content="' + b"&#x10FFFF;" * 100_000,
        bytes(2_000_000),
    ],
)
def test_a_page_that_means_harm_takes_little_time(content: bytes) -> None:
    began = time.process_time()
    page = read_page("https://x.test", "text/html", content)

    assert time.process_time() - began < 1
    assert len(page.title) <= 300
    assert len(page.images) <= 5


def test_an_address_has_a_scheme_and_a_host() -> None:
    assert is_web_address("https://x.test/a?b#c")
    for wrong in ("x.test", "mailto:a@x.test", "http://x.test/ y", "http://x.test/\n", "https:///x"):
        assert not is_web_address(wrong)
