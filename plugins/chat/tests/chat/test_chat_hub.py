"""The hub's memory: true whatever comes while it is read, and handed out in turns."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

from manor import (
    Closing,
    Head,
    NewCredential,
    Principal,
    Request,
    Transaction,
    add_member,
    find_by_secret,
    issue,
    new_id,
    remove_member,
    revoke,
    set_admin,
)
from manor.testing import House, SetClock
from manor_chat.channels.membership import join_channel, leave_channel
from manor_chat.events import Told
from manor_chat.ids import new_token
from manor_chat.socket.conversing import Sockets
from manor_chat.socket.entering import Entered, Entrance, SocketQuery
from manor_chat.socket.frames import Encoded, seal
from manor_chat.socket.hub import AT_ONCE, Hub
from manor_chat.socket.lines import MOST_SENT, Line
from manor_chat.socket.part import Live
from manor_chat.socket.roster import Listener, Standing
from manor_chat.store.channels import Channel
from manor_chat.store.people import find_person
from tests.chat_live import hub_of, settled_crew, token_of
from tests.chat_people import Chatter, Crew


@pytest.fixture
async def crew(house: House) -> Crew:
    return await settled_crew(house)


class Paused:
    """Reads as the storage does, and keeps what it read to itself for a while."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.has_read = trio.Event()
        self.may_go_on = trio.Event()

    async def read(self, work: Any) -> Any:
        found = await self._house.storage.read(work)
        self.has_read.set()
        await self.may_go_on.wait()
        return found

    def entrance(self) -> Entrance:
        house = self._house
        return Entrance(
            hub_of(house), self.read, house.services.clock, version=lambda: "10.5.0", authenticators=lambda: ()
        )


async def act(house: House, change: Any, channel: Channel, who: Chatter) -> None:
    def work(transaction: Transaction) -> None:
        person = find_person(transaction, who.id)
        assert person is not None
        change(transaction, channel, person)

    await house.storage.write(work)


async def test_what_changes_while_somebody_is_read_is_applied_afterwards(house: House, crew: Crew) -> None:
    paused = Paused(house)
    entered: list[Entered | None] = []

    async def enter() -> None:
        entered.append(await paused.entrance().enter(Principal("chat_session", user_id=crew.bob.id), SocketQuery()))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(enter)
        await paused.has_read.wait()
        # What was read says that Bob is in both channels, in the team, and no administrator.
        await act(house, leave_channel, crew.off_topic, crew.bob)
        await act(house, leave_channel, crew.town_square, crew.bob)
        await act(house, join_channel, crew.town_square, crew.bob)
        await house.storage.write(lambda transaction: set_admin(transaction, crew.bob.id, is_admin=True))
        paused.may_go_on.set()
    (found,) = entered
    assert found is not None
    bob = found.line.listener
    assert crew.off_topic.id not in bob.channels
    assert crew.town_square.id in bob.channels
    assert bob.is_admin
    roster = hub_of(house).roster
    assert roster.hearing(told(channel_id=crew.off_topic.id)) == set()
    assert roster.hearing(told(channel_id=crew.town_square.id)) == {found.line}
    assert roster.hearing(told(audience="admins")) == {found.line}
    await house.storage.write(lambda transaction: remove_member(transaction, crew.team_id, crew.bob.id))
    assert roster.hearing(told(team_id=crew.team_id)) == set()


async def test_a_client_that_comes_back_with_another_sign_in_stays_though_the_old_one_is_over(
    house: House, crew: Crew, clock: SetClock
) -> None:
    async def issued(life: timedelta) -> Principal:
        new = NewCredential(kind="pat", user_id=crew.bob.id, expires_at=clock.now() + life)
        made = await house.storage.write(lambda transaction: issue(transaction, new, new_token("p")))
        return Principal("pat", user_id=crew.bob.id, credential_id=made.id)

    at_once = Paused(house)
    at_once.may_go_on.set()
    old, new = await issued(timedelta(hours=1)), await issued(timedelta(days=1))
    entered = await at_once.entrance().enter(old, SocketQuery())
    assert entered is not None
    line, paused = entered.line, Paused(house)
    line.take()
    clock.set(clock.now() + timedelta(hours=2))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(paused.entrance().look_again)
        await paused.has_read.wait()
        again = SocketQuery(connection_id=line.connection_id, sequence_number="1")
        assert (await at_once.entrance().enter(new, again) or entered).line is line
        paused.may_go_on.set()

    assert line.connection_id in hub_of(house).roster.lines


async def test_a_team_that_is_left_or_joined_meanwhile_counts_as_it_is_then(house: House, crew: Crew) -> None:
    async def entered_after(who: Chatter, change: Any) -> Line:
        paused = Paused(house)
        entered: list[Entered | None] = []

        async def enter() -> None:
            entered.append(await paused.entrance().enter(Principal("chat_session", user_id=who.id), SocketQuery()))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(enter)
            await paused.has_read.wait()
            await house.storage.write(partial(change, team_id=crew.team_id, user_id=who.id))
            paused.may_go_on.set()
        assert entered[0] is not None
        return entered[0].line

    await entered_after(crew.bob, remove_member)
    eve = await entered_after(crew.eve, add_member)
    assert hub_of(house).roster.hearing(told(team_id=crew.team_id)) == {eve}


async def test_a_token_that_is_revoked_while_its_person_is_read_lets_nobody_in(house: House, crew: Crew) -> None:
    token = await token_of(house, crew.bob.id)
    principal = await house.services.identity.authenticate("pat", token)
    assert principal is not None
    paused = Paused(house)
    entered: list[Entered | None] = []

    async def enter() -> None:
        entered.append(await paused.entrance().enter(principal, SocketQuery()))

    def revoke_it(transaction: Transaction) -> None:
        found = find_by_secret(transaction, token)
        assert found is not None
        revoke(transaction, found.id)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(enter)
        await paused.has_read.wait()
        await house.storage.write(revoke_it)
        paused.may_go_on.set()
    assert entered == [None]
    assert not hub_of(house).roster.lines


# --- Handing out ---------------------------------------------------------------------------------------------------


def told(**aim: Any) -> Told:
    return Told(event="custom_tests", data=b'{"n":1}', **aim)


def crowd(hub: Hub, count: int) -> list[Line]:
    lines = []
    for n in range(count):
        listener = Listener(new_id(), Standing(is_admin=False, channels=set(), teams=set()))
        lines.append(Line(f"{n:026}", listener))
        hub.roster.add(lines[-1])
    return lines


async def test_others_get_a_turn_after_each_two_hundred_lines(nursery: trio.Nursery) -> None:
    hub = Hub()
    hub.open([])
    lines = crowd(hub, 5 * AT_ONCE)
    nursery.start_soon(hub.run)
    await trio.testing.wait_all_tasks_blocked()

    hub.tell(told())
    counts = [0]
    while counts[-1] < len(lines):
        await trio.lowlevel.checkpoint()
        counts.append(sum(line.has_waiting for line in lines))
    # Tasks that are ready run in any order: between two of our turns the hub may have had two.
    assert max(after - before for before, after in itertools.pairwise(counts)) <= 2 * AT_ONCE


async def test_each_line_hears_events_in_order_without_gaps_and_the_text_is_shared(nursery: trio.Nursery) -> None:
    hub = Hub()
    hub.open([])
    lines = crowd(hub, AT_ONCE + 50)
    nursery.start_soon(hub.run)
    for n in range(5):
        hub.tell(Told(event="custom_tests", data=b'{"n":%d}' % n))
    await trio.testing.wait_all_tasks_blocked()
    texts = [line.held[1] for line in lines]
    assert len(texts[0]) == 5
    assert all(one is other for text in texts for one, other in zip(text, texts[0], strict=True))
    assert [lines[7].take()[-8:] for _ in range(5)] == [b'"seq":%d}' % n for n in range(5)]


class Writes:
    """A socket that takes all it is given at once."""

    sending_since = math.inf

    def __init__(self) -> None:
        self.all: list[list[bytes]] = []

    def end(self, closing: Closing) -> None:
        raise AssertionError(closing)

    def send_now(self, frames: Sequence[bytes]) -> bool:
        self.all.append([frame[frame.index(b'"data"') : frame.index(b"}") + 1] for frame in frames])
        return True

    def wake(self) -> None:
        raise AssertionError("nothing waits")


async def test_events_that_wait_at_the_same_time_leave_in_one_write(nursery: trio.Nursery) -> None:
    hub = Hub()
    hub.open([])
    lines = crowd(hub, 3)
    for line in lines:
        line.carrier = Writes()
    alone = lines[0].listener.user_id
    nursery.start_soon(hub.run)

    for n in range(3):
        hub.tell(Told(event="custom_tests", data=b'{"n":%d}' % n, user_id=alone if n == 1 else None))
    await trio.testing.wait_all_tasks_blocked()
    hub.tell(Told(event="custom_tests", data=b'{"n":3}'))
    await trio.testing.wait_all_tasks_blocked()

    writes = [line.carrier.all for line in lines if isinstance(line.carrier, Writes)]
    everyones = [[b'"data":{"n":0}', b'"data":{"n":2}'], [b'"data":{"n":3}']]
    assert writes == [[[b'"data":{"n":0}', b'"data":{"n":1}', b'"data":{"n":2}'], everyones[1]], everyones, everyones]
    assert [line.next_seq for line in lines] == [4, 3, 3]


async def test_with_too_much_to_hand_out_whoever_tells_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manor_chat.socket.hub.MOST_QUEUED", 3)
    hub = Hub()
    hub.open([])
    (line,) = crowd(hub, 1)
    for _ in range(3):
        hub.tell(told())
    assert not line.has_waiting
    hub.tell(told())
    assert line.next_seq == 4


async def test_before_it_opens_it_only_notes_and_nothing_is_lost() -> None:
    hub = Hub()
    listener = Listener(new_id(), Standing(is_admin=False, channels=set(), teams=set()))
    line = Line("y" * 26, listener)
    hub.hear(told(user_id=listener.user_id))
    hub.open([line])
    hub.hear(told(user_id=listener.user_id))
    hub.close(lambda: None)
    assert line.next_seq == 2


@pytest.mark.parametrize(
    ("data", "mentions", "expected"),
    [
        (b"{}", False, '{"event":"x","data":{}'),
        (b'{"a":"}"}', False, '{"event":"x","data":{"a":"}"}'),
        (b"{}", True, '{"event":"x","data":{"mentions":"[\\"me\\"]"}'),
        (b'{"a":1}', True, '{"event":"x","data":{"a":1,"mentions":"[\\"me\\"]"}'),
    ],
)
def test_the_text_is_the_event_with_its_number_last(data: bytes, mentions: bool, expected: str) -> None:
    encoded = Encoded(Told(event="x", data=data))
    body = encoded.about("me", is_mentioned=True, is_follower=False) if mentions else encoded.plain
    nowhere = '{"omit_users":null,"user_id":"","channel_id":"","team_id":"","connection_id":"","omit_connection_id":""}'
    assert seal(body, 12).decode() == f'{expected},"broadcast":{nowhere},"seq":12}}'


# --- Lines ---------------------------------------------------------------------------------------------------------


def test_a_line_gives_again_what_it_keeps_and_nothing_else() -> None:
    (line,) = crowd(Hub(), 1)
    for n in range(MOST_SENT + 72):
        line.push([b'{"n":%d' % n])
    for _ in range(MOST_SENT + 70):
        line.take()
    first, unsent = 70, MOST_SENT + 70
    assert line.unsent_seq == unsent
    assert [len(line.since(seq) or ()) for seq in (first, first + 1, unsent - 1, unsent)] == [128, 127, 1, 0]
    assert line.since(first + 1) == [b'{"n":%d,"seq":%d}' % (n, n) for n in range(first + 1, unsent)]
    assert line.since(first - 1) is None
    assert line.since(unsent + 1) is None
    assert line.take() == b'{"n":%d,"seq":%d}' % (unsent, unsent)


class Dead:
    """A conversation whose client has gone without a word: what is sent hangs, and cannot be cancelled."""

    def __init__(self) -> None:
        self.outlet: Any = None
        self.flows = trio.Event()
        self.sent: list[str] = []

    async def receive(self) -> str:
        await trio.sleep_forever()
        raise AssertionError

    async def send(self, message: str | bytes) -> None:
        with trio.CancelScope(shield=True):
            await self.flows.wait()
        self.sent.append(str(message))

    def send_now(self, *texts: bytes) -> bool:
        if not self.flows.is_set():
            return False
        self.sent.extend(text.decode() for text in texts)
        return True

    async def close(self, closing: Closing) -> None:
        """Nobody hears it."""


def sockets_of(house: House) -> Sockets:
    (chat,) = [plugin for plugin in house.plugins if plugin.name == "chat"]
    (sockets,) = [part.sockets for part in chat.instance.parts if isinstance(part, Live)]
    found: Sockets = sockets
    return found


async def test_a_socket_that_is_cancelled_leaves_it_to_whoever_does_that_to_say_why(
    house: House, crew: Crew, nursery: trio.Nursery
) -> None:
    over = trio.CancelScope()
    ended: list[str] = []

    async def converse() -> None:
        with over:
            request = Request(Head("GET", b"/"), {}, None, SocketQuery(), (principal,))
            await sockets_of(house).open(request).run(socket)
            ended.append("by itself")
        ended.append("cancelled" if over.cancelled_caught else "")

    principal, socket = Principal("chat_session", user_id=crew.ann.id), Dead()
    socket.flows.set()
    nursery.start_soon(converse)
    await trio.testing.wait_all_tasks_blocked()
    (line,) = hub_of(house).roster.lines.values()
    assert line.carrier is not None
    over.cancel()
    await trio.testing.wait_all_tasks_blocked()
    assert ended == ["cancelled"]
    assert line.carrier is None


async def test_a_socket_that_was_taken_over_takes_nothing_of_what_waits(
    house: House, crew: Crew, nursery: trio.Nursery
) -> None:
    def opened(socket: Dead, **query: str) -> None:
        request = Request(Head("GET", b"/"), {}, None, SocketQuery(**query), (principal,))
        nursery.start_soon(sockets.open(request).run, socket)

    sockets = sockets_of(house)
    principal = Principal("chat_session", user_id=crew.ann.id)
    old, new, hub = Dead(), Dead(), hub_of(house)
    opened(old)
    await trio.testing.wait_all_tasks_blocked()
    ((id_, line),) = hub.roster.lines.items()
    assert line.unsent_seq == 1
    opened(new, connection_id=id_, sequence_number="0")
    await trio.testing.wait_all_tasks_blocked()
    assert line.has_waiting

    old.flows.set()
    await trio.testing.wait_all_tasks_blocked()
    new.flows.set()
    await trio.testing.wait_all_tasks_blocked()
    assert ["hello" in frame for frame in old.sent] == [True]
    assert [frame[-8:] for frame in new.sent] == ['"seq":0}', '"seq":1}']
    nursery.cancel_scope.cancel()


async def test_what_is_sent_at_once_keeps_its_place_among_what_had_to_wait(
    house: House, crew: Crew, nursery: trio.Nursery
) -> None:
    sockets = sockets_of(house)
    principal = Principal("chat_session", user_id=crew.ann.id)
    socket, hub = Dead(), hub_of(house)
    socket.flows.set()
    request = Request(Head("GET", b"/"), {}, None, SocketQuery(), (principal,))
    nursery.start_soon(sockets.open(request).run, socket)
    await trio.testing.wait_all_tasks_blocked()
    at_once = []
    for n in range(12):
        if n % 4 == 2:
            socket.flows = trio.Event()
        if n % 4 == 0:
            socket.flows.set()
        before = len(socket.sent)
        for _ in range(3):
            hub.tell(told(user_id=crew.ann.id))
        await trio.testing.wait_all_tasks_blocked()
        at_once.append(len(socket.sent) - before)
    socket.flows.set()
    await trio.testing.wait_all_tasks_blocked()
    assert [int(frame.rpartition(":")[2][:-1]) for frame in socket.sent] == list(range(38))
    assert at_once == [3, 3, 0, 0, 9, 3, 0, 0, 9, 3, 0, 0]
    nursery.cancel_scope.cancel()
