"""Settings over the API: kept, in force, and refused with a sentence when they cannot be had."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from manor import Event, Principal, Transaction
from manor.testing import Client, House, open_test_house
from manor_stream.events import StreamTitleChanged
from manor_stream.key_check import ADMIN_ID, STREAM_ADMIN
from manor_stream.quality import Quality
from manor_stream.setting_rules import RULES
from manor_stream.settings import S3Settings, SettingsChanged
from tests.stream_admin import basic, config_of, shared_of

PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20)).decode()
HUGE = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(1 << 20)).decode()
S3 = {
    "enabled": True,
    "endpoint": "https://s3.example.org",
    "servingEndpoint": "https://cdn.example.org",
    "accessKey": "an access key",
    "secret": "a secret",
    "bucket": "video",
    "region": "eu-1",
    "acl": "public-read",
    "forcePathStyle": True,
}
ACTION = {
    "url": "https://example.org/donate",
    "title": "Donate",
    "description": "Keep it going",
    "icon": "/img/heart.svg",
    "color": "#7b4dff",
    "openExternally": True,
}
QUALITY = {
    "name": "Small",
    "videoPassthrough": False,
    "audioPassthrough": False,
    "videoBitrate": 800,
    "audioBitrate": 96,
    "scaledWidth": 0,
    "scaledHeight": 360,
    "framerate": 25,
    "cpuUsageLevel": 3,
}

GOOD: list[tuple[str, Any, Sequence[str | int], Any]] = [
    ("key", "another key", ["streamKey"], "another key"),
    ("name", "Attic radio", ["instanceDetails", "name"], "Attic radio"),
    ("serversummary", "Two lines\nof it", ["instanceDetails", "summary"], "Two lines\nof it"),
    ("streamtitle", "Friday night", ["instanceDetails", "streamTitle"], "Friday night"),
    ("streamtitle", "", ["instanceDetails", "streamTitle"], ""),
    ("pagecontent", "# Hello\n\n<b>x</b>", ["instanceDetails", "extraPageContent"], "# Hello\n\n<b>x</b>"),
    ("customstyles", "body { color: red }", ["instanceDetails", "customStyles"], "body { color: red }"),
    ("logo", "/img/logo.png", ["instanceDetails", "logo"], "/img/logo.png"),
    ("logo", "img/logo.png", ["instanceDetails", "logo"], "img/logo.png"),
    ("logo", PNG, ["instanceDetails", "logo"], PNG),
    ("logo", "", ["instanceDetails", "logo"], ""),
    ("tags", ["jazz", " live ", "jazz"], ["instanceDetails", "tags"], ["jazz", "live"]),
    ("tags", [], ["instanceDetails", "tags"], []),
    ("ffmpegpath", "ffmpeg", ["ffmpegPath"], "ffmpeg"),
    ("webserverport", 8443, ["webServerPort"], 8443),
    ("webserverip", "::1", ["webServerIP"], "::1"),
    ("rtmpserverport", 19350, ["rtmpServerPort"], 19350),
    ("rtmpserverport", 0, ["rtmpServerPort"], 0),
    ("nsfw", True, ["instanceDetails", "nsfw"], True),
    ("directoryenabled", True, ["yp", "enabled"], True),
    ("serverurl", "https://stream.example.org/", ["yp", "instanceUrl"], "https://stream.example.org"),
    ("serverurl", "", ["yp", "instanceUrl"], ""),
    ("video/streamlatencylevel", 0, ["videoSettings", "latencyLevel"], 0),
    ("video/streamoutputvariants", [QUALITY], ["videoSettings", "videoQualityVariants"], [QUALITY]),
    ("video/codec", "libx264", ["videoCodec"], "libx264"),
    ("s3", S3, ["s3"], S3),
    ("s3", {"enabled": False}, ["s3", "enabled"], False),
    ("s3", {**S3, "bucket": " video ", "endpoint": " https://s3.example.org/ "}, ["s3"], S3),
    (
        "socialhandles",
        [{"platform": "mastodon", "url": "https://example.org/@ada"}],
        ["instanceDetails", "socialHandles"],
        [{"platform": "mastodon", "url": "https://example.org/@ada"}],
    ),
    ("externalactions", [ACTION], ["externalActions"], [ACTION]),
    ("welcomemessage", "Hello **there**", ["instanceDetails", "welcomeMessage"], "Hello **there**"),
    ("offlinemessage", "Back on Friday", ["instanceDetails", "offlineMessage"], "Back on Friday"),
    ("chat/disable", True, ["chatDisabled"], True),
    ("chat/disallowedusernames", ["admin", "root"], ["usernameBlocklist"], "admin,root"),
    ("chat/forbiddenusernames", ["admin", " god", "", "admin"], ["forbiddenUsernames"], ["admin", "god"]),
    ("chat/disallowedusernames", [""], ["forbiddenUsernames"], []),
]


@pytest.mark.parametrize("path", RULES)
async def test_what_is_set_is_shown(admin: Client, path: str) -> None:
    for value, where, shown in [row[1:] for row in GOOD if row[0] == path]:
        answer = await admin.post(f"/api/admin/config/{path}", json={"value": value, "unknown": ["member"]})

        assert (answer.status, answer.json()["success"]) == (200, True), answer.text
        found = await config_of(admin)
        for member in where:
            found = found[member]
        assert found == shown


def test_every_setter_is_tried() -> None:
    assert {row[0] for row in GOOD} == set(RULES)


# --- What cannot be had --------------------------------------------------------------------------------------------

OF_NO_USE: dict[Any, list[Any]] = {
    str: [None, 5, 1.5, True, ["text"], {"text": "text"}],
    bool: [None, 0, 1, "true", [], {}],
    int: [None, "3", 3.5, 3.0, True, [3], {}],
    list: [None, "text", 5, True, {}, ["text", 5], [["text"]], [None]],
    dict: [None, "text", 5, True, [], [{}]],
}


def _kind(shape: Any) -> Any:
    return shape if shape in OF_NO_USE else dict if shape is S3Settings else list


OF_NO_SHAPE = [
    b"",
    b"{",
    b"null",
    b"5",
    b'"text"',
    b"{}",
    b'{"Value": "text"}',
    b'{"value"',
    b'{"value": "\xff"}',
    b"[5]",
]

UNFIT: list[tuple[str, Any, str]] = [
    ("key", "", "value: expected 1 to 200 characters"),
    ("key", " key", "value: expected 1 to 200 characters"),
    ("key", "a/b", "none of them `/` or `?`"),
    ("key", "a?b", "none of them `/` or `?`"),
    ("key", "a\nb", "value: expected"),
    ("key", "k" * 201, "value: expected"),
    ("name", "", "value: expected one line of 1 to 200"),
    ("name", "  ", "value: expected one line"),
    ("name", "two\nlines", "value: expected one line"),
    ("streamtitle", "t" * 201, "value: expected one line of at most 200"),
    ("serversummary", "\x00", "without control characters"),
    ("pagecontent", "x" * 100_001, "at most 100000 characters"),
    ("customstyles", "</STYLE><script>", "holds no `</style`"),
    ("logo", "//elsewhere.example/logo.png", "value: expected a path on this server"),
    ("logo", "https://elsewhere.example/logo.png", "value: expected a path on this server"),
    ("logo", "javascript:alert(1)", "value: expected a path on this server"),
    ("logo", "/\\elsewhere.example/logo.png", "value: expected a path on this server"),
    ("logo", "/" + "x" * 2048, "value: expected a path on this server"),
    ("logo", "data:image/svg+xml;base64,PGh0bWw+", "value: expected a picture that is image/svg+xml"),
    ("logo", HUGE, "value: expected a picture of at most 1048576 bytes"),
    ("logo", "/a b", "value: expected a path on this server"),
    ("logo", "data:text/html;base64,PGI+", "value: expected data:TYPE;base64"),
    ("logo", "data:image/png,abc", "value: expected data:TYPE;base64"),
    ("logo", "data:image/png;base64,abc", "value: expected a picture in base64"),
    ("logo", "data:image/png;base64,PGI+PC9iPg==", "value: expected a picture that is image/png"),
    ("tags", ["\0"], "value[0]: expected one line of 1 to 100"),
    ("tags", ["ok", "two\nlines"], "value[1]: expected one line"),
    ("tags", [str(number) for number in range(101)], "value: expected at most 100 items"),
    ("ffmpegpath", "/nowhere/ffmpeg", "value: expected an ffmpeg"),
    ("ffmpegpath", "bin/ffmpeg", "value: expected an absolute path"),
    ("ffmpegpath", "/bin/true", "value: expected an ffmpeg"),
    ("ffmpegpath", "/etc/passwd", "value: expected an ffmpeg"),
    ("webserverport", 0, "value: expected a port from 1 to 65535"),
    ("webserverport", 65_536, "value: expected a port"),
    ("rtmpserverport", -1, "value: expected a port"),
    ("rtmpserverport", 10**30, "value"),
    ("webserverip", "localhost", "value: expected an IP address"),
    ("serverurl", "stream.example.org", "value: expected an address"),
    ("serverurl", "ftp://stream.example.org", "value: expected an address"),
    ("serverurl", "https://ada:secret@stream.example.org", "without a name and a password"),
    ("serverurl", "https://stream.example.org/?a", "without `?` and `#`"),
    ("serverurl", "https://stream.example.org:99999", "value: expected an address"),
    ("serverurl", "https://[::1", "value: expected an address"),
    ("video/streamlatencylevel", 5, "value: expected a level from 0 to 4"),
    ("video/streamlatencylevel", -1, "value: expected a level from 0 to 4"),
    ("video/codec", "h264_videotoolbox", "value: expected a codec that ffmpeg has"),
    ("video/codec", "libx265", "value: expected one of libx264"),
    ("video/codec", "libx264 -f null", "value: expected one of libx264"),
    ("video/streamoutputvariants", [], "value: expected 1 to 10 qualities"),
    ("video/streamoutputvariants", [{}] * 11, "value: expected 1 to 10 qualities"),
    ("video/streamoutputvariants", [{}, {"cpuUsageLevel": 6}], "value[1].cpuUsageLevel"),
    ("video/streamoutputvariants", [{"videoBitrate": -1}], "value[0].videoBitrate"),
    ("video/streamoutputvariants", [{"name": "two\nlines"}], "value[0].name"),
    ("s3", {"enabled": True}, "value.accessKey: is wanted"),
    ("s3", {**S3, "secret": " "}, "value.secret: is wanted"),
    ("s3", {**S3, "region": ""}, "value.region: is wanted"),
    ("s3", {**S3, "endpoint": "s3.example.org"}, "value.endpoint: expected an address"),
    ("s3", {**S3, "servingEndpoint": "javascript:x"}, "value.servingEndpoint: expected an address"),
    ("s3", {**S3, "bucket": 5}, "value.bucket: expected str, got int"),
    ("socialhandles", [{"platform": "x"}], "value[0].url: is missing"),
    ("socialhandles", [{"platform": "x", "url": "javascript:alert(1)"}], "value[0].url: expected an address"),
    ("socialhandles", [{"platform": "", "url": "https://example.org"}], "value[0].platform: expected one line"),
    ("externalactions", [{**ACTION, "url": "data:text/html,x"}], "value[0].url: expected an address"),
    ("externalactions", [ACTION, {**ACTION, "icon": "javascript:x"}], "value[1].icon: expected an address"),
    ("externalactions", [{**ACTION, "color": "red;background:url(x)"}], "value[0].color: expected a colour"),
    ("externalactions", [{**ACTION, "title": ""}], "value[0].title: expected one line"),
    ("externalactions", [{**ACTION, "openExternally": "yes"}], "value[0].openExternally: expected bool, got str"),
    ("chat/forbiddenusernames", ["", "\0"], "value[1]: expected one line"),
]


@pytest.mark.parametrize("path", RULES)
async def test_what_cannot_be_had_is_refused_with_a_sentence_and_changes_nothing(
    admin: Client, house: House, path: str
) -> None:
    before = shared_of(house).settings.now
    cases: list[tuple[Any, str]] = [(value, "value") for value in OF_NO_USE[_kind(RULES[path].shape)]]
    cases += [(value, message) for name, value, message in UNFIT if name == path]
    for value, message in cases:
        answer = await admin.post(f"/api/admin/config/{path}", json={"value": value})
        refusal = answer.json()
        assert (answer.status, refusal.keys(), refusal["success"]) == (400, {"success", "message"}, False), value
        assert refusal["message"].startswith("value"), (value, refusal)
        assert message in refusal["message"], (value, refusal)
    for body in OF_NO_SHAPE:
        answer = await admin.post(f"/api/admin/config/{path}", body=body)
        assert (answer.status, answer.json()["success"]) == (400, False), body
        assert answer.json()["message"]
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answer = await admin.request(method, f"/api/admin/config/{path}", body=b'{"value": "another"}')
        assert (answer.status, answer.json()["success"]) == (405, False), method
    assert shared_of(house).settings.now is before


def test_what_is_refused_is_of_settings_that_there_are() -> None:
    assert {row[0] for row in UNFIT} <= set(RULES)


# --- Who may -------------------------------------------------------------------------------------------------------


async def test_nobody_sets_anything_without_the_key(client: Client, house: House) -> None:
    for headers in ({}, basic("wrong"), basic(shared_of(house).settings.now.key, "ada"), {"Authorization": "Bearer x"}):
        for method, path in (("GET", "serverconfig"), ("POST", "config/customstyles"), ("POST", "disconnect")):
            answer = await client.request(method, f"/api/admin/{path}", headers=headers, body=b'{"value": "x"}')
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
            assert answer.json()["success"] is False


async def test_preflights_are_answered_without_a_credential(client: Client) -> None:
    for path in ("/api/admin/config/name", "/api/admin/serverconfig", "/api/integrations/streamtitle"):
        answer = await client.request("OPTIONS", path)
        assert (answer.status, answer.body) == (204, b"")


async def test_a_changed_key_is_the_password_at_once(client: Client, house: House) -> None:
    old = shared_of(house).settings.now.key

    changed = await client.post("/api/admin/config/key", json={"value": "another: key"}, headers=basic(old))

    assert changed.status == 200
    assert (await client.get("/api/admin/serverconfig", headers=basic(old))).status == 401
    assert (await client.get("/api/admin/serverconfig", headers=basic("another: key"))).status == 200
    assert shared_of(house).key_check.check("another: key", "192.0.2.1")


# --- What a change brings ------------------------------------------------------------------------------------------


async def test_what_was_set_is_there_after_a_restart(tmp_path: Path) -> None:
    who = (Principal(STREAM_ADMIN, credential_id=ADMIN_ID),)
    async with open_test_house(tmp_path, plugins=["stream"]) as house:
        admin = Client(house.dispatcher, principals=who)
        await admin.post("/api/admin/config/s3", json={"value": S3})
        await admin.post("/api/admin/config/externalactions", json=[ACTION])
        await admin.post("/api/admin/config/video/streamoutputvariants", json={"value": [QUALITY, {}]})
        before = await config_of(admin)
    async with open_test_house(tmp_path, plugins=["stream"]) as house:
        assert await config_of(Client(house.dispatcher, principals=who)) == before
        assert shared_of(house).settings.now.qualities == (
            Quality("Small", False, False, 800, 96, 0, 360, 25, 3),
            Quality(),
        )


async def test_external_actions_come_bare_too(admin: Client) -> None:
    assert (await admin.post("/api/admin/config/externalactions", json=[ACTION])).status == 200
    assert (await config_of(admin))["externalActions"] == [ACTION]

    refused = await admin.post("/api/admin/config/externalactions", json=[{"title": "x"}])
    assert (refused.status, refused.json()["message"]) == (400, "[0].url: is missing")


@pytest.mark.parametrize(
    ("path", "value", "when"),
    [
        ("rtmpserverport", 19350, "takes effect at the next start of the server"),
        ("webserverport", 8443, "`[server] bind`"),
        ("video/streamlatencylevel", 1, "takes effect at the next broadcast"),
        ("video/streamoutputvariants", [{}], "takes effect at the next broadcast"),
    ],
)
async def test_what_is_not_in_force_at_once_says_when_it_is(admin: Client, path: str, value: Any, when: str) -> None:
    answer = await admin.post(f"/api/admin/config/{path}", json={"value": value})

    assert answer.json()["success"] is True
    assert when in answer.json()["message"]


async def test_a_new_title_is_told(admin: Client, house: House, heard: list[Event]) -> None:
    await admin.post("/api/admin/config/name", json={"value": "Attic radio"})
    for _ in range(2):
        await admin.post("/api/admin/config/streamtitle", json={"value": "Friday night"})

    (title,) = [event for event in heard if isinstance(event, StreamTitleChanged)]
    assert (title.stream_title, title.server_name) == ("Friday night", "Attic radio")
    assert [event.names for event in heard if isinstance(event, SettingsChanged)] == [("name",), ("stream_title",)]


async def test_each_change_is_in_the_audit_log_without_its_value(admin: Client, house: House) -> None:
    await admin.post("/api/admin/config/key", json={"value": "a very secret key"})
    await admin.post("/api/admin/config/s3", json={"value": S3})
    await admin.post("/api/admin/config/tags", json={"value": 5})
    await admin.post("/api/admin/yp/reset")

    def work(transaction: Transaction) -> list[tuple[str, str, Any]]:
        rows = house.services.audit.list(transaction)
        return [(row.action, row.actor, json.loads(row.detail or "null")) for row in rows]

    assert await house.storage.read(work) == [
        ("stream.settings_changed", "admin", {"settings": ["key"]}),
        ("stream.settings_changed", "admin", {"settings": ["s3"]}),
    ]


# --- What is done at once ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["disconnect", "yp/reset"])
async def test_what_is_done_at_once_is_asked_for_with_post(admin: Client, house: House, path: str) -> None:
    reasons: list[str] = []
    shared_of(house).on_air.disconnect = reasons.append
    await shared_of(house).settings.change(directory_key="from the directory")

    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answer = await admin.request(method, f"/api/admin/{path}")
        assert (answer.status, answer.json()["success"]) == (405, False)

    assert (reasons, shared_of(house).settings.now.directory_key) == ([], "from the directory")


async def test_nobody_is_disconnected_while_nobody_broadcasts(admin: Client) -> None:
    answer = await admin.post("/api/admin/disconnect")

    assert (answer.status, answer.json()["success"]) == (200, False)


async def test_the_broadcaster_is_disconnected(admin: Client, house: House) -> None:
    reasons: list[str] = []
    shared_of(house).on_air.disconnect = reasons.append

    answer = await admin.post("/api/admin/disconnect")

    assert (answer.status, answer.json()["success"]) == (200, True)
    assert reasons == ["an administrator ended the broadcast"]


async def test_the_directorys_key_is_forgotten(admin: Client, house: House) -> None:
    await shared_of(house).settings.change(directory_key="from the directory")

    answer = await admin.post("/api/admin/yp/reset")

    assert (answer.status, answer.json()["success"]) == (200, True)
    assert shared_of(house).settings.now.directory_key == ""
