"""What everybody may know of the server: its configuration, its pictures, what directories read."""

from __future__ import annotations

from base64 import b64encode
from xml.etree import ElementTree

import pytest

from manor.testing import Client, House
from manor_stream.markdown import LONGEST, render_page
from manor_stream.quality import Quality
from manor_stream.settings import ExternalAction, SocialHandle
from manor_stream.watching.emoji import emoji_paths
from manor_stream.watching.version import version
from tests.stream_watching import go_live, shared_of

PNG = b"\x89PNG\r\n\x1a\n and so on"


def data_url(body: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{b64encode(body).decode()}"


# --- Configuration -------------------------------------------------------------------------------------------------


async def test_a_new_server_has_a_configuration(client: Client) -> None:
    answer = await client.get("/api/config")

    assert answer.json() == {
        "name": "Manor",
        "summary": "Live video from this server.",
        "logo": "/logo",
        "tags": [],
        "socialHandles": [],
        "extraPageContent": "",
        "version": version(),
        "streamTitle": "",
        "nsfw": False,
        "chatDisabled": False,
        "externalActions": [],
        "customStyles": "",
        "maxSocketPayloadSize": 2048,
        "offlineMessage": "",
        "appearanceVariables": {},
        "federation": {"enabled": False},
        "notifications": {"browser": {"enabled": False}},
        "authentication": {"indieAuthEnabled": False},
    }
    assert "no-cache" in answer.headers["Cache-Control"]


async def test_what_was_set_is_shown_at_once(house: House, client: Client) -> None:
    await client.get("/api/config")
    await shared_of(house).settings.change(
        name="Attic radio",
        summary="Jazz.",
        logo="/img/attic.png",
        tags=("jazz", "live"),
        social_handles=(SocialHandle("github", "https://github.com/attic"), SocialHandle("attic", "https://a.example")),
        page_content="# Hello\n\n<script>alert(1)</script>",
        offline_message="Back on *Friday*.",
        stream_title="Late",
        nsfw=True,
        is_chat_disabled=True,
        external_actions=(ExternalAction("https://a.example/tip", "Tip", color="#f00", opens_externally=True),),
        custom_styles="body { color: red }",
    )

    shown = (await client.get("/api/config")).json()

    assert {name: shown[name] for name in ("name", "summary", "logo", "tags", "streamTitle", "customStyles")} == {
        "name": "Attic radio",
        "summary": "Jazz.",
        "logo": "/img/attic.png",
        "tags": ["jazz", "live"],
        "streamTitle": "Late",
        "customStyles": "body { color: red }",
    }
    assert (shown["nsfw"], shown["chatDisabled"]) == (True, True)
    assert shown["extraPageContent"].strip() == "<h1>Hello</h1>"
    assert shown["offlineMessage"].strip() == "<p>Back on <em>Friday</em>.</p>"
    assert shown["socialHandles"] == [
        {"platform": "github", "url": "https://github.com/attic", "icon": "/img/platformlogos/github.svg"},
        {"platform": "attic", "url": "https://a.example", "icon": "/img/platformlogos/other.svg"},
    ]
    assert shown["externalActions"] == [
        {
            "url": "https://a.example/tip",
            "title": "Tip",
            "description": "",
            "icon": "",
            "color": "#f00",
            "openExternally": True,
        }
    ]


async def test_nothing_public_has_a_secret_in_it(house: House, client: Client) -> None:
    key = shared_of(house).settings.now.key
    go_live(house)
    for path in ("/api/config", "/api/status", "/api/yp", "/api/video/variants"):
        text = (await client.get(path)).text
        assert key not in text
        assert "192.0.2.9" not in text, "the publisher's address"


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("# A\n\nb *c* **d** `e`", "<h1>A</h1>\n<p>b <em>c</em> <strong>d</strong> <code>e</code></p>"),
        ("~~a~~", "<p><s>a</s></p>"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
        (
            "[a](https://a.example 'b')",
            '<p><a href="https://a.example" title="b" target="_blank" rel="noopener noreferrer">a</a></p>',
        ),
        ("![a](/img/b.png)", '<p><img src="/img/b.png" alt="a"></p>'),
        ("<b>a</b> <mark>b</mark>", "<p><b>a</b> <mark>b</mark></p>"),
        ("a<script>alert(1)</script>b", "<p>ab</p>"),
        ("<img src=x onerror=alert(1)>", '<img src="x">'),
        ("<a href='javascript:alert(1)'>a</a>", '<p><a target="_blank" rel="noopener noreferrer">a</a></p>'),
        (
            "<a href='data:text/html,x' onclick=y style=z>a</a>",
            '<p><a target="_blank" rel="noopener noreferrer">a</a></p>',
        ),
        ("<img src='data:image/svg+xml,x' srcset=y>", "<img>"),
        ("[a](data:text/html;base64,PHNjcmlwdD4=)", "<p>[a](data:text/html;base64,PHNjcmlwdD4=)</p>"),
        ("<iframe src=https://a.example></iframe>a", "a"),
        ("<form action=/api/admin/disconnect method=post><button>a</button></form>", "a"),
        ("<style>body{display:none}</style>", ""),
        ("<div style='position:fixed' class=x id=y onclick=z>a</div>", "<div>a</div>"),
        ("<svg onload=alert(1)>", ""),
        ("<math><mi xlink:href=javascript:x>", "<p></p>"),
        ("<b", "<p>&lt;b</p>"),
        ("", ""),
    ],
)
def test_a_page_is_markdown_without_what_runs(markdown: str, html: str) -> None:
    assert render_page(markdown).strip() == html


def test_a_very_long_page_is_cut() -> None:
    assert len(render_page("a " * LONGEST)) < LONGEST + len("<p></p>\n")


# --- The directory -------------------------------------------------------------------------------------------------


async def test_a_directory_reads_what_is_on(house: House, client: Client) -> None:
    await shared_of(house).settings.change(name="Attic", summary="Jazz.", stream_title="Late", tags=("a",))
    offline = (await client.get("/api/yp")).json()
    go_live(house)
    shared_of(house).viewers.touch("192.0.2.1", "a player")

    assert (offline["online"], offline["viewerCount"], offline["lastConnectTime"]) == (False, 0, None)
    assert (await client.get("/api/yp")).json() == {
        "name": "Attic",
        "description": "Jazz.",
        "streamTitle": "Late",
        "logo": "/logo",
        "nsfw": False,
        "tags": ["a"],
        "online": True,
        "viewerCount": 1,
        "overallMaxViewerCount": 1,
        "sessionMaxViewerCount": 1,
        "lastConnectTime": "2030-01-02T11:30:00Z",
        "socialHandles": [],
    }


# --- Qualities -----------------------------------------------------------------------------------------------------


async def test_qualities_are_listed_from_the_best_with_their_place(house: House, client: Client) -> None:
    await shared_of(house).settings.change(
        qualities=(
            Quality(video_bitrate=400),
            Quality(video_bitrate=2000, scaled_height=720),
            Quality(video_passthrough=True),
            Quality(name="Middle", video_bitrate=900),
        )
    )

    assert (await client.get("/api/video/variants")).json() == [
        {"index": 2, "name": "As broadcast"},
        {"index": 1, "name": "720p"},
        {"index": 3, "name": "Middle"},
        {"index": 0, "name": "400 kbit/s"},
    ]


async def test_while_live_the_qualities_are_the_broadcasts_own(house: House, client: Client) -> None:
    go_live(house)
    await shared_of(house).settings.change(qualities=(Quality(name="The next one's"),))

    assert [each["name"] for each in (await client.get("/api/video/variants")).json()] == ["Best", "360p"]


# --- Pictures ------------------------------------------------------------------------------------------------------


async def test_emoji_are_listed_and_served(client: Client) -> None:
    listed = (await client.get("/api/emoji")).json()

    assert len(listed) >= 20
    assert listed[0] == {"name": "angry", "emoji": "/img/emoji/angry.svg", "url": "/img/emoji/angry.svg"}
    assert {each["name"]: each["emoji"] for each in listed} == emoji_paths()
    for each in listed:
        picture = await client.get(each["emoji"])
        assert (picture.status, picture.headers["Content-Type"]) == (200, "image/svg+xml")
        assert ElementTree.fromstring(picture.body).tag == "{http://www.w3.org/2000/svg}svg"


async def test_platforms_are_listed_with_badges(client: Client) -> None:
    platforms = (await client.get("/api/socialplatforms")).json()

    assert platforms["mastodon"] == {"platform": "Mastodon", "icon": "/img/platformlogos/mastodon.svg"}
    for each in (*platforms.values(), {"icon": "/img/platformlogos/other.svg"}):
        badge = await client.get(each["icon"])
        assert ElementTree.fromstring(badge.body).tag == "{http://www.w3.org/2000/svg}svg"
        assert "sandbox" in badge.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/img/emoji/nobody-drew-this.svg",
        "/img/emoji/smile",
        "/img/emoji/..%2flogo.svg",
        "/img/emoji/%2e%2e",
        "/img/platformlogos/nowhere.svg",
        "/img/other/smile.svg",
        "/img/logo.svg/..",
        "/img/emoji/%00",
    ],
)
async def test_what_was_not_drawn_is_not_found(client: Client, path: str) -> None:
    assert (await client.get(path)).status == 404


async def test_without_a_logo_the_plugins_own_is_served(client: Client) -> None:
    logo = await client.get("/logo")

    assert (logo.status, logo.headers["Content-Type"]) == (200, "image/svg+xml")
    assert ElementTree.fromstring(logo.body).tag == "{http://www.w3.org/2000/svg}svg"
    assert "sandbox" in logo.headers["Content-Security-Policy"]
    again = await client.get("/logo", headers={"If-None-Match": logo.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")


async def test_a_picture_that_was_set_is_served_and_not_told_in_full(house: House, client: Client) -> None:
    before = await client.get("/logo")
    await shared_of(house).settings.change(logo=data_url(PNG))

    logo = await client.get("/logo", headers={"If-None-Match": before.headers["ETag"]})

    assert (logo.status, logo.headers["Content-Type"], logo.body) == (200, "image/png", PNG)
    for path in ("/api/config", "/api/yp"):
        assert (await client.get(path)).json()["logo"] == "/logo"


async def test_a_drawing_with_a_script_in_it_runs_nowhere(house: House, client: Client) -> None:
    drawing = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    await shared_of(house).settings.change(logo=data_url(drawing, "image/svg+xml"))

    policy = (await client.get("/logo")).headers["Content-Security-Policy"]

    assert policy == "default-src 'none'; style-src 'unsafe-inline'; sandbox"


async def test_a_path_that_was_set_is_where_the_logo_leads(house: House, client: Client) -> None:
    await shared_of(house).settings.change(logo="/img/attic.png")

    logo = await client.get("/logo")

    assert (logo.status, logo.headers["Location"]) == (302, "/img/attic.png")
    assert (await client.get("/api/config")).json()["logo"] == "/img/attic.png"


@pytest.mark.parametrize("logo", ["/logo", "logo", "//logo", "/logo?x", "/./logo", "/a/../logo", "data:broken", ""])
async def test_a_logo_that_leads_to_itself_or_nowhere_is_the_plugins_own(
    house: House, client: Client, logo: str
) -> None:
    await shared_of(house).settings.change(logo=logo)

    assert (await client.get("/logo")).status == 200
    assert (await client.get("/api/config")).json()["logo"] == "/logo"
