"""A client that lost its socket goes on where it was."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from manor import add_member, set_active
from manor.testing import Client, House, SetClock, Socket, open_test_house
from manor_chat.events import Imported
from manor_chat.socket.hub import MOST_AWAY_OF_ONE
from manor_chat.socket.lines import MOST_BYTES
from manor_chat.teams.keeping import keep_member
from manor_chat.telling import tell
from tests.chat_live import URL, hub_of, listening, settled_crew
from tests.chat_people import Chatter, Crew, chatter, chatting_as, said


@pytest.fixture
async def crew(house: House) -> Crew:
    return await settled_crew(house)


async def told(house: House, n: object, event: str = "custom_tests", **aim: Any) -> None:
    await house.storage.write(lambda transaction: tell(transaction, event, {"n": n}, **aim))


@asynccontextmanager
async def back(client: Client, connection_id: str, seq: object) -> AsyncIterator[Socket]:
    query = {"connection_id": connection_id, "sequence_number": str(seq), "posted_ack": "true"}
    async with client.websocket(URL, query=query) as socket:
        yield socket


async def frames(socket: Socket, most: int) -> list[Mapping[str, Any]]:
    return [await socket.json() for _ in range(most)]


async def test_what_was_told_meanwhile_is_sent_again_from_where_the_client_was(house: House, crew: Crew) -> None:
    async with listening(crew.ann.client) as ann:
        await ann.event("status_change")
        for n in range(5):
            await told(house, n, user_id=crew.ann.id)
        seen = [await ann.next() for _ in range(3)]
        id_ = ann.connection_id
    for n in range(5, 8):
        await told(house, n, user_id=crew.ann.id)

    async with back(crew.ann.client, id_, seen[-1]["seq"] + 1) as socket:
        again: list[Mapping[str, Any]] = []
        while not again or again[-1]["data"].get("n") != 7:
            again.append(await socket.json())
    assert [frame["seq"] for frame in again] == list(range(seen[-1]["seq"] + 1, seen[-1]["seq"] + 1 + len(again)))
    assert [frame["data"]["n"] for frame in again if frame["event"] == "custom_tests"] == [3, 4, 5, 6, 7]
    assert "hello" not in {frame["event"] for frame in again}


async def test_who_has_missed_nothing_goes_on_without_a_word(house: House, crew: Crew) -> None:
    async with listening(crew.ann.client) as ann:
        await told(house, 1, user_id=crew.ann.id)
        seq = (await ann.event("custom_tests"))["seq"]
        id_ = ann.connection_id
        # The server has not noticed yet that the first socket is dead.
        async with back(crew.ann.client, id_, seq + 1) as socket:
            await told(house, 2, user_id=crew.ann.id)
            frame = await socket.json()
            assert (frame["event"], frame["data"], frame["seq"]) == ("custom_tests", {"n": 2}, seq + 1)
            async for _ in ann.socket:
                pass
            assert ann.socket.closing is not None
            assert ann.socket.closing.code == 4409
            await told(house, 3, user_id=crew.ann.id)
            assert (await socket.json())["seq"] == seq + 2


async def test_who_asks_for_what_is_not_kept_begins_anew(house: House, crew: Crew) -> None:
    async with listening(crew.ann.client) as ann:
        await ann.event("status_change")
        for n in range(140):
            await told(house, n, user_id=crew.ann.id)
            await ann.event("custom_tests")
        id_ = ann.connection_id

    # What is no number says nothing of the line; a number that is not kept says that its client will not come back.
    for seq, is_kept in (("", True), ("x", True), ("-1", True), ("1.5", True), ("9" * 40, True), ("4", False)):
        async with back(crew.ann.client, id_, seq) as socket:
            hello = await socket.json()
        assert (hello["event"], hello["seq"]) == ("hello", 0)
        assert hello["data"]["connection_id"] != id_
        assert (id_ in hub_of(house).roster.lines) is is_kept, seq


async def test_the_last_128_are_kept(house: House, crew: Crew) -> None:
    async with listening(crew.ann.client) as ann:
        await ann.event("status_change")
        for n in range(200):
            await told(house, n, user_id=crew.ann.id)
            last = await ann.event("custom_tests")
        id_ = ann.connection_id
    async with back(crew.ann.client, id_, last["seq"] + 1 - 128) as socket:
        again = await frames(socket, 128)
    assert [frame["seq"] for frame in again] == list(range(last["seq"] - 127, last["seq"] + 1))
    async with back(crew.ann.client, id_, last["seq"] - 128) as socket:
        assert (await socket.json())["event"] == "hello"


async def test_nobody_goes_on_with_a_line_of_others_or_with_none(house: House, crew: Crew) -> None:
    async with listening(crew.ann.client) as ann:
        for client, id_ in ((crew.bob.client, ann.connection_id), (crew.ann.client, "y" * 26), (crew.ann.client, "")):
            async with back(client, id_, 1) as socket:
                hello = await socket.json()
                assert (hello["event"], hello["seq"]) == ("hello", 0)
                assert hello["data"]["connection_id"] != id_
        assert (await ann.ask("ping"))["status"] == "OK"


async def test_a_line_is_collected_for_ten_minutes(house: House, crew: Crew, autojump_clock: MockClock) -> None:
    async with listening(crew.ann.client) as ann:
        id_ = ann.connection_id
    await trio.sleep(590)
    assert id_ in hub_of(house).roster.lines
    await trio.sleep(60)
    assert id_ not in hub_of(house).roster.lines


async def test_who_stays_away_while_too_much_is_told_begins_anew(house: House, crew: Crew) -> None:
    lines = hub_of(house).roster.lines
    async with listening(crew.ann.client) as ann:
        await ann.event("status_change")
        ids = [ann.connection_id]
    for _ in range(254):
        await told(house, 0, user_id=crew.ann.id)
    assert ids[0] in lines
    for _ in range(3):
        await told(house, 0, user_id=crew.ann.id)
    await trio.testing.wait_all_tasks_blocked()
    assert ids[0] not in lines

    async with listening(crew.ann.client) as ann:
        ids = [ann.connection_id]
    for _ in range(2):
        await told(house, "x" * (MOST_BYTES // 2), user_id=crew.ann.id)
    assert ids[0] in lines
    await told(house, "x", user_id=crew.ann.id)
    await trio.testing.wait_all_tasks_blocked()
    assert ids[0] not in lines


async def test_one_person_leaves_only_so_many_lines_behind(house: House, crew: Crew, autojump_clock: MockClock) -> None:
    ids = []
    for _ in range(MOST_AWAY_OF_ONE + 2):
        async with listening(crew.ann.client) as ann:
            ids.append(ann.connection_id)
        await trio.sleep(1)
    assert [id_ in hub_of(house).roster.lines for id_ in ids] == [False] * 2 + [True] * MOST_AWAY_OF_ONE


async def test_a_line_of_somebody_who_is_deactivated_is_gone(house: House, crew: Crew) -> None:
    async with listening(crew.ann.client) as ann:
        id_ = ann.connection_id
    await house.storage.write(lambda transaction: set_active(transaction, crew.ann.id, is_active=False))
    await house.storage.write(lambda transaction: set_active(transaction, crew.ann.id, is_active=True))
    async with back(crew.ann.client, id_, 1) as socket:
        assert (await socket.json())["event"] == "hello"


async def test_after_an_import_everybody_begins_anew(house: House, crew: Crew) -> None:
    async with listening(crew.bob.client) as bob:
        away = bob.connection_id
    async with listening(crew.ann.client) as ann:
        await house.storage.write(lambda transaction: transaction.emit(Imported(posts=1)))
        async for _ in ann.socket:
            pass
    assert ann.socket.closing is not None
    assert ann.socket.closing.code == 1012
    for who, id_ in ((crew.ann, ann.connection_id), (crew.bob, away)):
        async with back(who.client, id_, 1) as socket:
            assert (await socket.json())["event"] == "hello"


# --- Over a restart ------------------------------------------------------------------------------------------------


class Twice:
    """A house that is closed and opened again."""

    def __init__(self, folder: Path, clock: SetClock) -> None:
        self.folder = folder
        self.clock = clock

    @asynccontextmanager
    async def open(self) -> AsyncIterator[House]:
        async with open_test_house(self.folder, plugins=["chat"], clock=self.clock) as house:
            yield house

    @property
    def file(self) -> Path:
        return self.folder / "data" / "chat" / "sockets.msgpack"


@pytest.fixture
def twice(tmp_path: Path, clock: SetClock) -> Twice:
    return Twice(tmp_path / "twice", clock)


async def leave(house: House, ann: Chatter) -> tuple[str, int]:
    """Connect, hear three events, and go while a fourth is on its way; gives the id and the number wanted next."""
    async with listening(ann.client) as ear:
        await ear.event("status_change")
        for n in range(3):
            await told(house, n, user_id=ann.id)
            frame = await ear.event("custom_tests")
    await told(house, 3, user_id=ann.id)
    return ear.connection_id, frame["seq"] + 1


async def test_a_clean_restart_is_no_loss(twice: Twice) -> None:
    async with twice.open() as house:
        ann = await chatter(house, "ann")
        id_, seq = await leave(house, ann)
    assert twice.file.stat().st_mode & 0o777 == 0o600

    async with twice.open() as house:
        assert not twice.file.exists()
        await told(house, 4, user_id=ann.id)
        async with back(chatting_as(house, ann.id), id_, seq - 1) as socket:
            again: list[Mapping[str, Any]] = []
            while not again or again[-1]["data"].get("n") != 4:
                again.append(await socket.json())
    assert [frame["seq"] for frame in again] == list(range(seq - 1, seq - 1 + len(again)))
    assert [frame["data"]["n"] for frame in again if frame["event"] == "custom_tests"] == [2, 3, 4]


async def test_what_happened_between_the_opening_and_the_first_client_is_heard(twice: Twice) -> None:
    async with twice.open() as house:
        crew = await Crew.gather(house)
        async with listening(crew.eve.client) as eve:
            id_ = eve.connection_id
    async with twice.open() as house:

        def work(transaction: Any) -> None:
            add_member(transaction, crew.team_id, crew.eve.id)
            keep_member(transaction, crew.team_id, crew.eve.id)

        await house.storage.write(work)
        await said(house, crew.ann, crew.off_topic, "welcome, eve")
        async with back(chatting_as(house, crew.eve.id), id_, 1) as socket:
            while "welcome, eve" not in (await socket.json())["data"].get("post", ""):
                pass


async def test_after_a_crash_or_too_late_or_from_another_state_everybody_begins_anew(twice: Twice) -> None:
    async with twice.open() as house:
        ann = await chatter(house, "ann")
        id_, _ = await leave(house, ann)
    kept = twice.file.read_bytes()

    async def is_known() -> bool:
        async with twice.open() as house:
            found = id_ in hub_of(house).roster.lines
            # A crash: nothing is kept at the end.
            hub_of(house).roster.lines.clear()
        return found

    assert await is_known()
    assert not twice.file.exists()
    assert not await is_known()

    for broken in (kept[:-5], b"", b"\xc1", kept.replace(b"custom_tests", b"\xff\xffstom_tests")):
        twice.file.write_bytes(broken)
        assert not await is_known()

    twice.file.write_bytes(kept)
    async with twice.open() as house:
        await house.storage.write(lambda transaction: transaction.position())
        hub_of(house).roster.lines.clear()
    twice.file.write_bytes(kept)
    assert not await is_known()


async def test_a_line_that_is_too_old_is_not_gone_on_with(twice: Twice) -> None:
    async with twice.open() as house:
        ann = await chatter(house, "ann")
        id_, _ = await leave(house, ann)
    twice.clock.set(twice.clock.now() + timedelta(minutes=9))
    async with twice.open() as house:
        assert id_ in hub_of(house).roster.lines
    twice.clock.set(twice.clock.now() + timedelta(minutes=2))
    async with twice.open() as house:
        assert id_ not in hub_of(house).roster.lines


async def test_what_is_told_after_the_lines_were_kept_undoes_that(house: House, crew: Crew, tmp_path: Path) -> None:
    async with listening(crew.ann.client):
        pass
    file = tmp_path / "kept"
    file.write_bytes(b"")
    assert hub_of(house).close(file.unlink)
    await told(house, 1, user_id=crew.eve.id)
    assert file.exists()
    await told(house, 1, user_id=crew.ann.id)
    assert not file.exists()
