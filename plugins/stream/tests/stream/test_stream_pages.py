"""Pages: what they show and hide, what their policy lets in, and who opens the admin's."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest

from manor.testing import Client, House
from manor_stream.pages.chart import HEIGHT, MOST_POINTS, WIDTH, chart_of
from manor_stream.pages.face import origin_of
from manor_stream.settings import ExternalAction, S3Settings, SocialHandle
from manor_stream.watching.hardware import Value
from tests.page_reading import SAME_ORIGIN, Reader
from tests.stream_broadcast import shared_of
from tests.stream_pages import policy_of

HOSTILE = '</style><script>alert(1)</script><img src=x onerror="alert(1)">'
ADMIN_PAGES = ["", "general", "links", "video", "storage", "chat", "access", "logs"]
PUBLIC_PAGES = ["/", "/embed/video", "/embed/chat", "/embed/chat/readonly", "/embed/chat/readwrite"]


@pytest.fixture
def reader(admin: Client) -> Reader:
    """The browser of the user `admin`."""
    return Reader(admin)


# --- Watching ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PUBLIC_PAGES)
async def test_strangers_open_public_pages(client: Client, path: str) -> None:
    answer = await client.get(path)

    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "Set-Cookie" not in answer.headers


async def test_other_sites_may_show_the_embedded_pages_and_no_other(client: Client, admin: Client) -> None:
    framed = {path: policy_of(await client.get(path))["frame-ancestors"] for path in PUBLIC_PAGES}
    framed["/admin/"] = policy_of(await admin.get("/admin/"))["frame-ancestors"]

    assert framed == {"/": "'none'", "/admin/": "'none'"} | dict.fromkeys(PUBLIC_PAGES[1:], "*")


async def test_the_page_shows_what_the_admin_set(house: House, client: Client) -> None:
    await shared_of(house).settings.change(
        name="Attic radio",
        stream_title="Tonight: jazz",
        summary="From under the roof",
        tags=("jazz", "live"),
        page_content="# Hello\n\n<script>alert(1)</script>\n\n**all**",
        offline_message="Back *soon*",
        social_handles=(SocialHandle("mastodon", "https://social.example/@attic"),),
        external_actions=(ExternalAction("https://shop.example/", "Shop", "Records"),),
    )

    text = (await client.get("/")).text
    for shown in ("Attic radio", "Tonight: jazz", "From under the roof", "<li>jazz</li>", "<strong>all</strong>"):
        assert shown in text
    assert "Back <em>soon</em>" in text
    assert 'href="https://shop.example/" target="_blank" rel="noopener noreferrer"' in text
    assert ">Mastodon</a>" in text
    assert "alert(1)" not in text


async def test_headings_of_the_admins_text_are_below_the_pages_own(house: House, client: Client) -> None:
    content = "# One\n\n###### Six\n\n<h1 class=x>Three</h1>"
    await shared_of(house).settings.change(page_content=content, offline_message="# Off")

    for path, wanted in (("/", ["<h2>One</h2>", "<h6>Six</h6>", "<h2>Three</h2>"]), ("/embed/video", ["<h2>Off</h2>"])):
        text = (await client.get(path)).text
        assert text.count("<h1") == 1
        assert [each for each in wanted if each not in text] == []


async def test_what_an_admin_sets_stays_text_where_it_is_text(house: House, client: Client) -> None:
    await shared_of(house).settings.change(
        name=HOSTILE,
        stream_title=HOSTILE,
        summary=HOSTILE,
        tags=(HOSTILE,),
        social_handles=(SocialHandle(HOSTILE, "https://a.example/"), SocialHandle("x", "javascript:alert(1)")),
        external_actions=(
            ExternalAction("javascript:alert(1)", "Click"),
            ExternalAction("https://b.example/", HOSTILE),
        ),
    )

    for path in PUBLIC_PAGES:
        text = (await client.get(path)).text
        assert "<script>alert" not in text
        assert "<img" not in text
        assert "javascript:" not in text


async def test_own_styles_stand_in_one_element_that_they_cannot_leave(house: House, client: Client) -> None:
    await shared_of(house).settings.change(custom_styles=f"h1 {{ color: red }} a > b {{}} {HOSTILE}")

    answer = await client.get("/")
    style = answer.text.partition("<style nonce=")[2].partition("</style>")[0]
    assert "h1 { color: red } a > b {}" in style
    assert "<script>alert(1)<\\/script>" in style
    assert answer.text.count("</style>") == 1


async def test_video_that_comes_from_elsewhere_is_let_in(house: House, client: Client) -> None:
    before = policy_of(await client.get("/"))
    assert (before["connect-src"], before["worker-src"]) == ("'self'", "blob:")
    await shared_of(house).settings.change(
        s3=S3Settings(enabled=True, endpoint="https://s3.example/x", serving_endpoint="https://cdn.example:8443/bucket")
    )

    after = policy_of(await client.get("/"))
    assert after["connect-src"] == "'self' https://cdn.example:8443"
    assert after["media-src"] == "'self' blob: https://cdn.example:8443"
    assert 'data-ping="yes"' in (await client.get("/")).text


@pytest.mark.parametrize("url", ["", "ftp://a.example/", "https://", "https://a b/", "https://a;b/", "https://a:x/"])
def test_what_is_no_address_of_the_web_is_let_in_nowhere(url: str) -> None:
    assert origin_of(url) == ""


async def test_pictures_of_other_sites_are_let_in_where_the_admin_shows_some(house: House, client: Client) -> None:
    assert "https:" not in policy_of(await client.get("/"))["img-src"]
    await shared_of(house).settings.change(page_content="![me](https://pictures.example/me.png)")

    assert policy_of(await client.get("/"))["img-src"] == "'self' data: blob: https:"


async def test_a_chat_that_is_switched_off_is_not_on_any_page(house: House, client: Client) -> None:
    assert 'id="chat"' in (await client.get("/")).text
    await shared_of(house).settings.change(is_chat_disabled=True)

    assert 'id="chat"' not in (await client.get("/")).text
    assert "switched off" in (await client.get("/embed/chat")).text


async def test_who_may_only_read_has_no_place_to_write(client: Client) -> None:
    assert "<textarea" not in (await client.get("/embed/chat")).text
    assert "<textarea" in (await client.get("/embed/chat/readwrite")).text


# --- Who opens the admin's pages -----------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [*ADMIN_PAGES, "nonsense"])
async def test_strangers_are_asked_for_the_key_and_not_led_to_sign_in(client: Client, page: str) -> None:
    answer = await client.get(f"/admin/{page}")

    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    ("name", "key", "status"), [("admin", "right", 200), ("admin", "wrong", 401), ("ada", "right", 401)]
)
async def test_the_user_admin_comes_in_with_the_stream_key(
    house: House, client: Client, name: str, key: str, status: int
) -> None:
    await shared_of(house).settings.change(key="right")
    secret = b64encode(f"{name}:{key}".encode()).decode()

    assert (await client.get("/admin/", headers={"Authorization": f"Basic {secret}"})).status == status


@pytest.mark.parametrize("page", ADMIN_PAGES)
async def test_the_admin_opens_every_page(reader: Reader, page: str) -> None:
    shown = await reader.open(f"/admin/{page}")

    assert (shown.status, "Overview" in shown.text) == (200, True)
    assert shown.answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    ["title", "disconnect", "general", "links/social", "links/actions", "video", "video/qualities", "storage", "chat"]
    + [f"chat/{each}" for each in ("hide", "show", "keep-out", "let-in", "ban", "unban")]
    + ["access/key", "access/tokens", "access/tokens/delete", "access/webhooks", "access/webhooks/delete"],
)
async def test_a_form_of_another_site_changes_nothing(house: House, reader: Reader, path: str) -> None:
    before = shared_of(house).settings.now
    await reader.open("/admin/general")

    foreign = {**SAME_ORIGIN, "Sec-Fetch-Site": "cross-site"}
    assert (await reader.ask("POST", f"/admin/{path}", body=b"name=x", headers=foreign)).status == 403
    assert (await reader.ask("POST", f"/admin/{path}", body=b"name=x", headers=SAME_ORIGIN)).status == 403
    assert shared_of(house).settings.now == before


# --- Charts --------------------------------------------------------------------------------------------------------


def values(*numbers: int) -> list[Value]:
    start = datetime(2026, 5, 1, tzinfo=UTC)
    return [Value(start + timedelta(minutes=minute), number) for minute, number in enumerate(numbers)]


def test_a_chart_takes_two_values() -> None:
    assert chart_of(values()) is None
    assert chart_of(values(3)) is None


def test_a_chart_fills_its_box() -> None:
    drawn = chart_of(values(0, 100, 50), top=100)

    assert drawn is not None
    assert drawn.points == f"0.0,{HEIGHT:.1f} {WIDTH / 2:.1f},0.0 {WIDTH:.1f},{HEIGHT / 2:.1f}"
    assert (drawn.now, drawn.most) == (50, 100)


def test_a_long_chart_keeps_its_peak_and_its_end() -> None:
    drawn = chart_of(values(*([1] * 700), 100, *([1] * 700), 7), top=100)

    assert drawn is not None
    points = drawn.points.split()
    assert len(points) <= MOST_POINTS + 1
    assert any(point.endswith(",0.0") for point in points)
    assert points[-1].startswith(f"{WIDTH:.1f},")
