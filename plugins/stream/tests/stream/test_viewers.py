"""Who counts as a viewer, for how long, and what the admin sees of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import trio

from manor.testing import Client, House
from manor_stream import viewers as counting
from manor_stream.on_air import OnAir, Phase
from manor_stream.viewers import MOST_OF_AN_ADDRESS, SILENT_SECONDS, Viewers
from tests.stream_watching import go_live, go_offline, shared_of


@pytest.fixture
def viewers() -> Viewers:
    return Viewers(OnAir(phase=Phase.LIVE))


async def test_the_same_address_and_program_are_one_viewer(viewers: Viewers) -> None:
    for address, agent in (("192.0.2.1", "a"), ("192.0.2.1", "a"), ("192.0.2.1", "b"), ("192.0.2.2", "a")):
        viewers.touch(address, agent)

    assert viewers.count == 3
    assert len({viewer.id for viewer in viewers.present()}) == 3


async def test_who_is_silent_for_fifteen_seconds_has_left(viewers: Viewers, autojump_clock: trio.abc.Clock) -> None:
    viewers.touch("192.0.2.1", "a")
    await trio.sleep(10)
    viewers.touch("192.0.2.2", "a")
    await trio.sleep(4.9)
    assert viewers.count == 2
    await trio.sleep(0.2)
    assert [viewer.address for viewer in viewers.present()] == ["192.0.2.2"]
    await trio.sleep(SILENT_SECONDS)
    assert viewers.count == 0


async def test_who_goes_on_watching_stays(viewers: Viewers, autojump_clock: trio.abc.Clock) -> None:
    for _ in range(20):
        viewers.touch("192.0.2.1", "a")
        await trio.sleep(SILENT_SECONDS - 1)

    assert viewers.count == 1
    viewer = viewers.present()[0]
    assert trio.current_time() - viewer.since == pytest.approx(20 * (SILENT_SECONDS - 1))


async def test_who_comes_back_has_come_anew(viewers: Viewers, autojump_clock: trio.abc.Clock) -> None:
    viewers.touch("192.0.2.1", "a")
    await trio.sleep(3600)
    viewers.touch("192.0.2.1", "a")

    assert viewers.present()[0].since == trio.current_time()


async def test_a_peak_between_two_looks_is_one_too(viewers: Viewers, autojump_clock: trio.abc.Clock) -> None:
    for number in range(5):
        viewers.touch(f"192.0.2.{number}", "a")
    await trio.sleep(60)

    assert viewers.note_peak() == 0
    assert (viewers.session_peak, viewers.overall_peak) == (5, 5)


async def test_one_who_leaves_as_another_comes_makes_no_peak_of_two(
    viewers: Viewers, autojump_clock: trio.abc.Clock
) -> None:
    viewers.touch("192.0.2.1", "a")
    await trio.sleep(SILENT_SECONDS)
    viewers.touch("192.0.2.2", "a")

    assert viewers.overall_peak == 1


async def test_peaks_are_of_broadcasts(autojump_clock: trio.abc.Clock) -> None:
    on_air = OnAir()
    viewers = Viewers(on_air)
    viewers.touch("192.0.2.1", "a")
    assert (viewers.live_count, viewers.overall_peak) == (0, 0)

    on_air.phase = Phase.LIVE
    assert (viewers.live_count, viewers.overall_peak, viewers.session_peak) == (1, 1, 1)


async def test_programs_made_up_for_each_request_make_no_crowd(viewers: Viewers) -> None:
    for number in range(1000):
        viewers.touch("192.0.2.1", f"made up {number}")
        viewers.touch(f"2001:db8::{number:x}", f"made up {number}")
    viewers.touch("192.0.2.2", "somebody else")

    assert viewers.count == 2 * MOST_OF_AN_ADDRESS + 1


async def test_an_address_has_room_again_when_its_viewers_left(
    viewers: Viewers, autojump_clock: trio.abc.Clock
) -> None:
    for number in range(MOST_OF_AN_ADDRESS):
        viewers.touch("192.0.2.1", f"{number}")
    await trio.sleep(SILENT_SECONDS)
    viewers.touch("192.0.2.1", "a new one")

    assert viewers.count == 1
    assert viewers._of_address.total() == 1


async def test_a_long_name_of_a_program_is_cut(viewers: Viewers) -> None:
    viewers.touch("192.0.2.1", "x" * 100_000)
    viewers.touch("192.0.2.1", "x" * 200_000)
    viewers.touch("192.0.2.1", "\udcff é 日本")

    assert [len(viewer.user_agent) for viewer in viewers.present()] == [counting.LONGEST_AGENT, 6]


async def test_more_viewers_than_fit_push_out_who_was_silent_longest(
    viewers: Viewers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "MOST_VIEWERS", 3)
    for number in (1, 2, 3, 1, 4):
        viewers.touch(f"192.0.2.{number}", "a")

    assert sorted(viewer.address[-1] for viewer in viewers.present()) == ["1", "3", "4"]
    assert viewers._of_address.total() == 3


async def test_ids_say_nothing_of_the_address_and_differ_between_runs() -> None:
    ids = set()
    for _ in range(2):
        viewers = Viewers(OnAir())
        viewers.touch("192.0.2.1", "a")
        ids.add(viewers.present()[0].id)

    assert len(ids) == 2


# --- Through the API -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_ping_says_that_one_watches(house: House, client: Client, method: str) -> None:
    go_live(house)
    answer = await client.request(method, "/api/ping", headers={"User-Agent": "a player"})
    await client.request(method, "/api/ping", headers={"User-Agent": "a player"})
    await client(address="192.0.2.8").request(method, "/api/ping")

    assert (answer.status, answer.body, answer.headers["Access-Control-Allow-Origin"]) == (200, b"", "*")
    assert "no-cache" in answer.headers["Cache-Control"]
    assert (await client.get("/api/status")).json()["viewerCount"] == 2


async def test_another_method_is_no_ping(house: House, client: Client) -> None:
    go_live(house)
    for method in ("PUT", "DELETE", "PATCH"):
        assert (await client.request(method, "/api/ping")).status == 405
    assert (await client.request("OPTIONS", "/api/ping")).status == 204

    assert (await client.get("/api/status")).json()["viewerCount"] == 0


async def test_the_admin_sees_who_watches(house: House, client: Client, admin: Client) -> None:
    go_live(house)
    await client(address="192.0.2.8").get("/api/ping", headers={"User-Agent": "VLC/3.0"})

    (viewer,) = (await admin.get("/api/admin/viewers")).json()

    assert viewer.pop("clientID")
    assert viewer.pop("firstSeen").startswith("2030-01-02T1")
    assert viewer == {"ipAddress": "192.0.2.8", "userAgent": "VLC/3.0", "geo": None}


async def test_while_nothing_is_on_nobody_watches(house: House, client: Client, admin: Client) -> None:
    await client.get("/api/ping")
    go_offline(house)

    assert (await admin.get("/api/admin/viewers")).json() == []


async def test_addresses_are_forgotten_while_nothing_is_on_too(
    house: House, client: Client, autojump_clock: trio.abc.Clock
) -> None:
    await client.get("/api/ping")
    await trio.sleep(SILENT_SECONDS + 6)

    assert shared_of(house).viewers._watching == {}


async def test_the_metrics_say_how_many_watch(house: House, client: Client) -> None:
    def metrics() -> set[str]:
        lines = shared_of(house).context.metrics.render().decode().splitlines()
        return {line for line in lines if line.startswith(("manor_stream_viewers ", "manor_stream_live "))}

    assert metrics() == {"manor_stream_viewers 0.0", "manor_stream_live 0.0"}
    go_live(house)
    await client.get("/api/ping")
    assert metrics() == {"manor_stream_viewers 1.0", "manor_stream_live 1.0"}


async def test_the_reference_lists_each_metric_with_its_meaning_and_no_other(house: House) -> None:
    page = Path(__file__).parents[4] / "docs" / "reference" / "metrics.md"
    rows = re.findall(r"^\| `(manor_stream_\w+)` \|[^|]+\|[^|]*\| (.+) \|$", page.read_text(), re.MULTILINE)
    families = shared_of(house).context.metrics.families()

    assert dict(rows) == {name: text for name, text in families.items() if name.startswith("manor_stream_")}
