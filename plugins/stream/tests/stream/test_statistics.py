"""Peaks, samples, the log and the machine: what is kept, for how long, and what the admin is told of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import trio
from sqlalchemy import func, insert, select

from manor import Event, Transaction
from manor.clock import Clock
from manor.testing import Client, House, SetClock, open_test_house
from manor_stream.broadcast.store import broadcasts
from manor_stream.events import ViewerCountChanged
from manor_stream.logbook import LONGEST_LINE, MOST_LINES, Logbook
from manor_stream.on_air import Phase
from manor_stream.settings import S3Settings
from manor_stream.watching import store
from manor_stream.watching.hardware import Hardware, _percent
from tests.stream_watching import BROADCAST, go_live, go_offline, shared_of, watching_of

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
QUIET = {"plugins": {"stream": {"rtmp_bind": ""}}}
NEXT = UUID("01950000-0000-7000-8000-000000000002")


def watch(house: House, count: int) -> None:
    for number in range(count):
        shared_of(house).viewers.touch(f"192.0.2.{number}", "a player")


async def add_samples(house: House, *samples: tuple[timedelta, int]) -> None:
    rows = [{"time": NOON - age, "viewers": viewers} for age, viewers in samples]

    def work(transaction: Transaction) -> None:
        transaction.connection.execute(insert(store.samples), rows)

    await house.storage.write(work)


async def count_samples(house: House) -> int:
    def work(transaction: Transaction) -> int:
        return int(transaction.connection.execute(select(func.count()).select_from(store.samples)).scalar_one())

    return await house.storage.read(work)


def counts(heard: list[Event]) -> list[int]:
    return [event.viewer_count for event in heard if isinstance(event, ViewerCountChanged)]


# --- The event -----------------------------------------------------------------------------------------------------


async def test_a_changed_count_is_told_once_in_five_seconds(
    house: House, heard: list[Event], autojump_clock: trio.abc.Clock
) -> None:
    go_live(house)
    await trio.sleep(0.5)
    for number in range(14):
        shared_of(house).viewers.touch(f"192.0.2.{number}", "a player")
        await trio.sleep(1)

    assert counts(heard) == [5, 10]
    assert heard[0] == ViewerCountChanged(broadcast_id=BROADCAST, viewer_count=5)


async def test_a_count_that_stays_is_told_once(
    house: House, heard: list[Event], autojump_clock: trio.abc.Clock
) -> None:
    go_live(house)
    for _ in range(12):
        watch(house, 3)
        await trio.sleep(5)

    assert counts(heard) == [3]


async def test_while_nothing_is_on_no_count_is_told(
    house: House, heard: list[Event], autojump_clock: trio.abc.Clock
) -> None:
    watch(house, 3)
    await trio.sleep(10)
    go_live(house).phase = Phase.STARTING
    watch(house, 4)
    await trio.sleep(10)
    go_offline(house)
    await trio.sleep(10)

    assert counts(heard) == []


async def test_each_broadcast_begins_with_nobody(
    house: House, heard: list[Event], autojump_clock: trio.abc.Clock
) -> None:
    for broadcast_id in (BROADCAST, NEXT):
        go_live(house, broadcast_id=broadcast_id)
        watch(house, 2)
        await trio.sleep(6)

    assert [(event.broadcast_id, event.viewer_count) for event in heard if isinstance(event, ViewerCountChanged)] == [
        (BROADCAST, 2),
        (NEXT, 2),
    ]


# --- Peaks ---------------------------------------------------------------------------------------------------------


async def test_peaks_are_found_by_the_next_house(tmp_path: Path) -> None:
    async with open_test_house(tmp_path, plugins=["stream"], config=QUIET) as house:
        go_live(house)
        watch(house, 3)
        await watching_of(house).statistics.look()
        go_offline(house)
        shared_of(house).viewers._watching.clear()
        go_live(house)
        watch(house, 2)
        # Not looked at again: the stop keeps it.

    async with open_test_house(tmp_path, plugins=["stream"], config=QUIET) as house:
        status = (await Client(house.dispatcher).get("/api/status")).json()
        assert (status["overallMaxViewerCount"], status["sessionMaxViewerCount"]) == (3, 2)
        go_live(house)
        watch(house, 1)
        status = (await Client(house.dispatcher).get("/api/status")).json()
        assert (status["overallMaxViewerCount"], status["sessionMaxViewerCount"]) == (3, 1)


@pytest.mark.parametrize("ended_at", [NOON - timedelta(hours=2), None])
async def test_when_the_last_broadcast_ended_is_known_by_the_next_house(
    tmp_path: Path, clock: Clock, ended_at: datetime | None
) -> None:
    def work(transaction: Transaction) -> None:
        row = {column.name: "" for column in broadcasts.columns} | {"started_at": NOON - timedelta(days=1)}
        for id_, end in ((BROADCAST, NOON - timedelta(hours=23)), (NEXT, ended_at)):
            values = row | {"id": id_, "ended_at": end, "peak_viewers": 0}
            transaction.connection.execute(insert(broadcasts).values(values))

    async with open_test_house(tmp_path, plugins=["stream"], config=QUIET, clock=clock) as house:
        assert (await Client(house.dispatcher).get("/api/status")).json()["lastDisconnectTime"] is None
        await house.storage.write(work)

    async with open_test_house(tmp_path, plugins=["stream"], config=QUIET, clock=clock) as house:
        status = (await Client(house.dispatcher).get("/api/status")).json()

    # One that was left open ended as the next house found it.
    assert status["lastDisconnectTime"] == ("2030-01-02T10:00:00Z" if ended_at else "2030-01-02T12:00:00Z")
    assert (status["lastConnectTime"], status["online"]) == (None, False)


async def test_viewers_cost_no_transaction_each(house: House, autojump_clock: trio.abc.Clock) -> None:
    go_live(house)
    await trio.sleep(6)
    before = house.storage.commits
    watch(house, 200)
    for _ in range(50):
        await Client(house.dispatcher).get("/api/status")

    assert house.storage.commits == before


async def test_nothing_is_written_while_nothing_happens(house: House, autojump_clock: trio.abc.Clock) -> None:
    await trio.sleep(6)
    before = house.storage.commits
    await trio.sleep(55)

    assert house.storage.commits == before


# --- Viewers over time ---------------------------------------------------------------------------------------------


async def test_viewers_are_sampled_each_minute_while_live(
    house: House, clock: SetClock, admin: Client, autojump_clock: trio.abc.Clock
) -> None:
    await trio.sleep(300)
    assert (await admin.get("/api/admin/viewersOverTime")).json() == []

    go_live(house)
    for minute in range(3):
        clock.set(NOON + timedelta(minutes=minute))
        for _ in range(12):
            watch(house, minute + 1)
            await trio.sleep(5)
    go_offline(house)
    clock.set(NOON + timedelta(minutes=10))
    await trio.sleep(300)

    samples = (await admin.get("/api/admin/viewersOverTime")).json()
    assert [sample["time"][:16] for sample in samples] == ["2030-01-02T12:00", "2030-01-02T12:01", "2030-01-02T12:02"]
    assert [sample["value"] for sample in samples] == [1, 2, 3]
    assert all(type(sample["value"]) is int for sample in samples)


async def test_without_a_start_the_last_day_is_shown(house: House, admin: Client) -> None:
    await add_samples(house, (timedelta(days=2), 5), (timedelta(hours=23), 6), (timedelta(minutes=1), 7))

    samples = (await admin.get("/api/admin/viewersOverTime")).json()

    assert samples == [
        {"time": "2030-01-01T13:00:00Z", "value": 6},
        {"time": "2030-01-02T11:59:00Z", "value": 7},
    ]


@pytest.mark.parametrize(
    ("start", "values"),
    [
        (NOON - timedelta(hours=1), [7]),
        (NOON - timedelta(days=3), [5, 6, 7]),
        (datetime(1970, 1, 1, tzinfo=UTC), [5, 6, 7]),
        (NOON, []),
        (NOON + timedelta(days=365), []),
        (datetime(9999, 12, 31, tzinfo=UTC), []),
    ],
)
async def test_a_start_in_unix_seconds_says_from_when_on(
    house: House, admin: Client, start: datetime, values: list[int]
) -> None:
    await add_samples(house, (timedelta(days=2), 5), (timedelta(hours=23), 6), (timedelta(minutes=1), 7))

    answer = await admin.get("/api/admin/viewersOverTime", query={"windowStart": int(start.timestamp())})

    assert [sample["value"] for sample in answer.json()] == values


@pytest.mark.parametrize("start", ["", "yesterday", "-1", "1.5", "1e9", "99999999999999999999", "0x10"])
async def test_a_start_that_is_no_time_is_refused(admin: Client, start: str) -> None:
    answer = await admin.get("/api/admin/viewersOverTime", query={"windowStart": start})

    assert (answer.status, answer.json()["success"]) == (400, False)
    assert "windowStart" in answer.json()["message"]


async def test_a_long_time_is_told_in_longer_steps_by_their_highest(house: House, admin: Client) -> None:
    minutes = range(29 * 24 * 60)
    await add_samples(house, *((timedelta(minutes=minute), minute % 1000) for minute in minutes))

    answer = await admin.get("/api/admin/viewersOverTime", query={"windowStart": 0})

    samples = answer.json()
    assert len(samples) <= store.MOST_VALUES + 1
    assert max(sample["value"] for sample in samples) == 999
    assert samples == sorted(samples, key=lambda sample: str(sample["time"]))


async def test_samples_are_forgotten_after_thirty_days(
    house: House, clock: SetClock, autojump_clock: trio.abc.Clock
) -> None:
    await add_samples(house, (timedelta(days=30, minutes=1), 5), (timedelta(days=29), 6))
    go_live(house)
    await trio.sleep(6)

    assert await count_samples(house) == 2


# --- The log -------------------------------------------------------------------------------------------------------


async def test_the_log_is_shown_newest_first(house: House, admin: Client) -> None:
    logbook = shared_of(house).logbook
    logbook.info("A broadcast began.")
    logbook.warning("The encoder is slow.")
    logbook.error("An upload failed.")

    answer = await admin.get("/api/admin/logs")

    assert answer.json() == [
        {"time": "2030-01-02T12:00:00Z", "level": "error", "message": "An upload failed."},
        {"time": "2030-01-02T12:00:00Z", "level": "warning", "message": "The encoder is slow."},
        {"time": "2030-01-02T12:00:00Z", "level": "info", "message": "A broadcast began."},
    ]
    warnings = (await admin.get("/api/admin/logs/warnings")).json()
    assert [line["level"] for line in warnings] == ["error", "warning"]


async def test_the_log_forgets_what_is_oldest(house: House, admin: Client) -> None:
    for number in range(MOST_LINES + 10):
        shared_of(house).logbook.info(f"line {number}")

    lines = (await admin.get("/api/admin/logs")).json()

    assert (len(lines), lines[-1]["message"]) == (MOST_LINES, "line 10")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("two\nlines\r\nand a \x1b[31mcolour\x00", "two lines and a  [31mcolour"),
        ("a\u2028b\x85c", "a b c"),
        ("x" * (LONGEST_LINE + 1), "x" * LONGEST_LINE),
        ("rtmp://192.0.2.1/live/the stream key", "rtmp://192.0.2.1/live/•••"),
        ("x" * (LONGEST_LINE - 3) + "the stream key", "x" * (LONGEST_LINE - 3) + "•••"),
        ("Signed with an s3 secret.", "Signed with •••."),
        ("GET https://me:word@example.org/x failed", "GET https://•••@example.org/x failed"),
        (
            "PUT https://s3.example.org/b?X-Amz-Signature=abc&x=1",
            "PUT https://s3.example.org/b?X-Amz-Signature=•••&x=1",
        ),
        ("to https://example.org/hook?token=abc", "to https://example.org/hook?token=•••"),
        ("plain text, mail@example.org", "plain text, mail@example.org"),
    ],
)
async def test_no_line_has_secrets_or_control_characters(house: House, admin: Client, said: str, shown: str) -> None:
    shared = shared_of(house)
    await shared.settings.change(key="the stream key", s3=S3Settings(secret="an s3 secret"))
    shared.logbook.warning(said)

    assert (await admin.get("/api/admin/logs")).json()[0]["message"] == shown


async def test_what_the_admin_sees_stands_in_the_daemons_log_too(clock: Clock) -> None:
    lines: list[tuple[str, str]] = []

    class Log:
        def __getattr__(self, level: str) -> Callable[[str], None]:
            return lambda message: lines.append((level, message))

    Logbook(clock, Log(), lambda: ["secret"]).warning("a secret\n")

    assert lines == [("warning", "a •••")]


# --- The machine ---------------------------------------------------------------------------------------------------


async def test_the_machine_is_measured_each_minute(house: House, admin: Client, autojump_clock: trio.abc.Clock) -> None:
    await trio.sleep(125)

    stats = (await admin.get("/api/admin/hardwarestats")).json()

    assert sorted(stats) == ["cpu", "disk", "memory"]
    for values in stats.values():
        assert len(values) == 3
        assert {tuple(sorted(value)) for value in values} == {("time", "value")}
        assert all(type(value["value"]) is int and 0 <= value["value"] <= 100 for value in values)
        assert values[0]["time"] == "2030-01-02T12:00:00Z"


async def test_what_was_measured_a_day_ago_is_forgotten(clock: Clock, tmp_path: Path) -> None:
    hardware = Hardware(clock, tmp_path / "not" / "there" / "yet")
    for _ in range(1500):
        hardware.measure()

    assert [len(values) for values in (hardware.stats.cpu, hardware.stats.memory, hardware.stats.disk)] == [1440] * 3


@pytest.mark.parametrize(("measured", "shown"), [(-0.1, 0), (0.4, 0), (49.6, 50), (100.0, 100), (100.4, 100)])
def test_percents_are_whole_and_no_more_than_a_hundred(measured: float, shown: int) -> None:
    assert _percent(measured) == shown
