"""What is on, as viewers, bots and the admin are told: key by key, while nothing is on and while something is."""

from __future__ import annotations

from typing import Any

import pytest

from manor import Principal
from manor.testing import Client, House, SetClock
from manor_stream.http.api import ADMIN_ACCESS, INTEGRATION, MESSAGES
from manor_stream.on_air import Metadata, Phase
from manor_stream.watching.version import version
from tests.stream_watching import go_live, go_offline, shared_of

NOON = "2030-01-02T12:00:00Z"


@pytest.fixture
def bot(house: House) -> Client:
    return Client(house.dispatcher, principals=(Principal(INTEGRATION, scopes=frozenset({ADMIN_ACCESS})),))


def watch(house: House, *addresses: str) -> None:
    for address in addresses:
        shared_of(house).viewers.touch(address, "a player")


# --- Offline -------------------------------------------------------------------------------------------------------


async def test_a_server_that_never_was_live_says_so(client: Client) -> None:
    answer = await client.get("/api/status")

    assert answer.json() == {
        "online": False,
        "viewerCount": 0,
        "overallMaxViewerCount": 0,
        "sessionMaxViewerCount": 0,
        "lastConnectTime": None,
        "lastDisconnectTime": None,
        "versionNumber": version(),
        "streamTitle": "",
        "serverTime": NOON,
    }
    assert "no-cache" in answer.headers["Cache-Control"]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_the_admin_of_a_server_with_nothing_on_sees_no_broadcaster(admin: Client) -> None:
    answer = await admin.get("/api/admin/status")

    assert answer.json() == {
        "broadcaster": None,
        "currentBroadcast": None,
        "health": None,
        "online": False,
        "viewerCount": 0,
        "sessionPeakViewerCount": 0,
        "overallPeakViewerCount": 0,
        "versionNumber": version(),
        "streamTitle": "",
    }
    assert "no-cache" in answer.headers["Cache-Control"]


async def test_who_looks_at_the_page_of_a_stream_that_is_off_is_no_viewer(house: House, client: Client) -> None:
    watch(house, "192.0.2.1")

    status = (await client.get("/api/status")).json()

    assert (status["viewerCount"], status["overallMaxViewerCount"], status["sessionMaxViewerCount"]) == (0, 0, 0)


# --- Live ----------------------------------------------------------------------------------------------------------


async def test_a_live_broadcast_shows_since_when_and_how_many_watch(house: House, client: Client) -> None:
    await shared_of(house).settings.change(stream_title="Late jazz")
    go_live(house)
    watch(house, "192.0.2.1", "192.0.2.2")

    assert (await client.get("/api/status")).json() == {
        "online": True,
        "viewerCount": 2,
        "overallMaxViewerCount": 2,
        "sessionMaxViewerCount": 2,
        "lastConnectTime": "2030-01-02T11:30:00Z",
        "lastDisconnectTime": None,
        "versionNumber": version(),
        "streamTitle": "Late jazz",
        "serverTime": NOON,
    }


async def test_the_admin_sees_who_publishes_what(house: House, admin: Client) -> None:
    go_live(house)
    watch(house, "192.0.2.1")

    assert (await admin.get("/api/admin/status")).json() == {
        "broadcaster": {
            "remoteAddr": "192.0.2.9",
            "time": "2030-01-02T11:30:00Z",
            "streamDetails": {
                "width": 1280,
                "height": 720,
                "frameRate": 29.97,
                "framerate": 29.97,
                "videoBitrate": 2500,
                "videoCodec": "H.264",
                "audioBitrate": 128,
                "audioCodec": "AAC",
                "encoder": "obs-output module",
                "videoOnly": False,
            },
        },
        "currentBroadcast": {
            "outputSettings": [
                {
                    "name": "Best",
                    "videoPassthrough": True,
                    "audioPassthrough": False,
                    "videoBitrate": 1200,
                    "audioBitrate": 0,
                    "scaledWidth": 0,
                    "scaledHeight": 0,
                    "framerate": 24,
                    "cpuUsageLevel": 2,
                },
                {
                    "name": "",
                    "videoPassthrough": False,
                    "audioPassthrough": False,
                    "videoBitrate": 800,
                    "audioBitrate": 0,
                    "scaledWidth": 0,
                    "scaledHeight": 360,
                    "framerate": 24,
                    "cpuUsageLevel": 2,
                },
            ],
            "latencyLevel": {"level": 1, "secondsPerSegment": 2, "segmentCount": 15},
        },
        "health": {"healthy": True, "healthPercentage": 100, "message": "", "representation": 0},
        "online": True,
        "viewerCount": 1,
        "sessionPeakViewerCount": 1,
        "overallPeakViewerCount": 1,
        "versionNumber": version(),
        "streamTitle": "",
    }


async def test_a_publisher_that_says_nothing_of_itself_is_shown_all_the_same(house: House, admin: Client) -> None:
    go_live(house, metadata=Metadata())

    details = (await admin.get("/api/admin/status")).json()["broadcaster"]["streamDetails"]

    assert (details["width"], details["videoCodec"], details["encoder"], details["videoOnly"]) == (0, "", "", False)


async def test_video_without_sound_is_called_so(house: House, admin: Client) -> None:
    go_live(house, metadata=Metadata(video_codec="H.264"))

    assert (await admin.get("/api/admin/status")).json()["broadcaster"]["streamDetails"]["videoOnly"] is True


async def test_what_is_wrong_with_a_broadcast_is_its_health(house: House, admin: Client) -> None:
    go_live(house).warnings = ("The encoder is too slow.", "Key frames are 8 s apart.")

    assert (await admin.get("/api/admin/status")).json()["health"] == {
        "healthy": False,
        "healthPercentage": 0,
        "message": "The encoder is too slow. Key frames are 8 s apart.",
        "representation": 0,
    }


@pytest.mark.parametrize(
    ("phase", "is_online"),
    [(Phase.OFFLINE, False), (Phase.STARTING, False), (Phase.LIVE, True), (Phase.RECONNECTING, True)],
)
async def test_a_stream_is_online_while_there_is_something_to_watch(
    house: House, client: Client, admin: Client, phase: Phase, is_online: bool
) -> None:
    go_live(house).phase = phase

    assert (await client.get("/api/status")).json()["online"] is is_online
    status = (await admin.get("/api/admin/status")).json()
    assert (status["online"], status["broadcaster"] is not None) == (is_online, is_online)


async def test_after_the_end_it_is_known_when_that_was(house: House, client: Client) -> None:
    go_live(house)
    watch(house, "192.0.2.1", "192.0.2.2", "192.0.2.3")
    go_offline(house)

    status = (await client.get("/api/status")).json()

    assert (status["lastConnectTime"], status["lastDisconnectTime"]) == (None, "2030-01-02T11:45:00Z")
    assert (status["viewerCount"], status["sessionMaxViewerCount"], status["overallMaxViewerCount"]) == (0, 3, 3)


async def test_the_next_broadcast_begins_its_own_peak(house: House, client: Client) -> None:
    go_live(house)
    watch(house, "192.0.2.1", "192.0.2.2")
    go_offline(house)
    shared_of(house).viewers._watching.clear()
    go_live(house)
    watch(house, "192.0.2.1")

    status = (await client.get("/api/status")).json()

    assert (status["viewerCount"], status["sessionMaxViewerCount"], status["overallMaxViewerCount"]) == (1, 1, 2)


async def test_an_answer_is_encoded_again_when_something_changes(house: House, clock: SetClock, client: Client) -> None:
    """Not by the second alone: who asks twice within one is told what has happened between."""
    go_live(house)
    first = (await client.get("/api/status")).body
    again = (await client.get("/api/status")).body
    watch(house, "192.0.2.1")
    more = (await client.get("/api/status")).json()
    await shared_of(house).settings.change(stream_title="Next")
    titled = (await client.get("/api/status")).json()
    clock.set(clock.now().replace(minute=7))
    later = (await client.get("/api/status")).json()

    assert first is again
    assert (more["viewerCount"], titled["streamTitle"]) == (1, "Next")
    assert later["serverTime"] == "2030-01-02T12:07:00Z"


async def test_bots_are_told_what_viewers_are(house: House, client: Client, bot: Client) -> None:
    go_live(house)

    answer = await bot.get("/api/integrations/status")

    assert (answer.status, answer.json()) == (200, (await client.get("/api/status")).json())
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


# --- Who may not ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/api/admin/status",
        "/api/admin/logs",
        "/api/admin/logs/warnings",
        "/api/admin/viewersOverTime",
        "/api/admin/hardwarestats",
        "/api/admin/viewers",
    ],
)
async def test_the_admins_reads_are_for_the_admin(client: Client, admin: Client, path: str) -> None:
    refused = await client.get(path)
    assert refused.status == 401
    assert refused.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert refused.json()["success"] is False
    guessed = await client.get(path, headers={"Authorization": "Basic YWRtaW46YWJjMTIz"})
    assert guessed.status == 401
    assert (await admin.get(path)).status == 200
    for method in ("POST", "PUT", "DELETE"):
        assert (await admin.request(method, path)).status == 405
    assert (await client.request("OPTIONS", path)).status == 204


@pytest.mark.parametrize(
    "path",
    [
        "/api/status",
        "/api/config",
        "/api/yp",
        "/api/emoji",
        "/api/socialplatforms",
        "/api/video/variants",
        "/logo",
        "/img/emoji/smile.svg",
        "/img/platformlogos/github.svg",
    ],
)
async def test_public_reads_are_for_everybody_and_change_nothing(client: Client, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")
    assert (await client.get(path, headers={"Authorization": "Bearer nobody-made-this"})).status == 200
    assert (await client.request("HEAD", path)).body == b""
    assert (await client.post(path)).status == 405
    assert (await client.request("OPTIONS", path)).status == 204


@pytest.mark.parametrize("scopes", [set(), {MESSAGES}])
async def test_bots_without_the_scope_are_strangers(house: House, scopes: set[str]) -> None:
    bot = Client(house.dispatcher, principals=(Principal(INTEGRATION, scopes=frozenset(scopes)),))

    assert (await bot.get("/api/integrations/status")).status == 401
    assert (await Client(house.dispatcher).get("/api/integrations/status")).status == 401


async def test_the_document_describes_the_answers(client: Client) -> None:
    document: dict[str, Any] = (await client.get("/openapi.json")).json()

    content = document["paths"]["/api/status"]["get"]["responses"]["200"]["content"]
    assert content["application/json"]["schema"] == {"$ref": "#/components/schemas/Status"}
