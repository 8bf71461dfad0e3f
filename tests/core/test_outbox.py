from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
import trio
from structlog.typing import EventDict
from trio.testing import MockClock

from manor.errors import ManorError
from manor.events import Job
from manor.outbox import GiveUp, JobHandler, NotYet, delivery_attempt, delivery_number
from manor.outbox.store import Target
from manor.storage import Deferred, Transaction
from tests.core.outboxing import Call, DoorRang, Log, Post, open_post

RING = Job("phone.ring", Call)
TEXT = Job("phone.text", Call, attempts=3, deadline=10, backoff=60)


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[EventDict]]:
    with structlog.testing.capture_logs() as entries:
        yield entries


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    async with open_post(tmp_path) as post:
        yield post


@pytest.fixture
async def log(post: Post) -> Log:
    return Log()


# --- Events


async def test_a_durable_subscriber_hears_in_order_and_the_rows_are_gone(
    autojump_clock: MockClock, post: Post, log: Log
) -> None:
    post.hear(log)
    async with post.delivering():
        await post.tell("front", "attic")
        await post.tell("cellar")
        assert await log.until(3) == ["front", "attic", "cellar"]
        await post.empty()

    assert await post.rows() == []


async def test_what_was_told_before_the_worker_ran_is_delivered_when_it_does(
    autojump_clock: MockClock, post: Post, log: Log
) -> None:
    post.hear(log)
    await post.tell("front")
    async with post.delivering():
        assert await log.until(1) == ["front"]


async def test_a_rolled_back_transaction_leaves_no_row(autojump_clock: MockClock, post: Post, log: Log) -> None:
    post.hear(log)

    def work(transaction: Transaction) -> None:
        transaction.emit(DoorRang("front"))
        transaction.defer(RING, Call("112"))
        raise KeyError("no such door")

    with pytest.raises(KeyError):
        await post.storage.write(work)

    assert await post.rows() == []


async def test_an_event_that_nobody_hears_durably_leaves_no_row(autojump_clock: MockClock, post: Post) -> None:
    await post.tell("front")
    assert await post.rows() == []


async def test_a_delivery_interrupted_by_a_stop_is_made_again(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_post(tmp_path) as post:
        began = trio.Event()

        async def interrupted(call: Call) -> None:
            began.set()
            await trio.sleep_forever()

        post.handle(RING, interrupted)
        async with post.delivering():
            await post.defer(RING, "112")
            await began.wait()

    async with open_post(tmp_path) as post:
        log = Log()
        post.handle(RING, log.call)
        async with post.delivering():
            assert await log.until(1) == ["112"]


async def test_each_delivery_has_a_number_and_counts_its_attempts(autojump_clock: MockClock, post: Post) -> None:
    numbers: list[tuple[str, int, int]] = []

    async def call(call: Call) -> None:
        numbers.append((call.number, delivery_number(), delivery_attempt()))
        if len(numbers) == 1:
            raise OSError("busy")

    post.handle(RING, call)
    await post.defer(RING, "1", "1", key="one")
    rows = await post.rows()
    async with post.delivering():
        await post.empty()

    assert numbers == [("1", rows[0].id, 1), ("1", rows[0].id, 2), ("1", rows[1].id, 1)]
    for ask in (delivery_number, delivery_attempt):
        with pytest.raises(LookupError):
            ask()


async def test_a_failing_event_holds_up_its_own_subscription_only(
    autojump_clock: MockClock, post: Post, log: Log
) -> None:
    other = Log()
    post.hear(log)
    post.hear(other, owner="topics")
    log.fail("front", OSError("down"), OSError("down"))
    async with post.delivering():
        await post.tell("front", "attic")
        assert await other.until(2) == ["front", "attic"]
        await log.until(4)

    assert log.entries == [("front", 0), ("front", 5), ("front", 15), ("attic", 15)]
    assert other.entries == [("front", 0), ("attic", 0)]


async def test_order_is_kept_over_a_restart_in_the_midst_of_a_back_off(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_post(tmp_path) as post:
        log = Log()
        log.fail("front", OSError("down"))
        post.hear(log)
        async with post.delivering():
            await post.tell("front", "attic")
            await log.until(1)
            await trio.sleep(1)

    async with open_post(tmp_path) as post:
        log = Log()
        post.hear(log)
        async with post.delivering():
            await post.tell("cellar")
            assert await log.until(3) == ["front", "attic", "cellar"]


async def test_rows_without_a_handler_wait_untouched_and_hold_up_nobody(
    autojump_clock: MockClock, post: Post, log: Log
) -> None:
    for _ in range(40):
        await post.defer(TEXT, "110")
    post.handle(RING, log.call)
    async with post.delivering():
        await post.defer(RING, "112")
        await log.until(1)
        await trio.sleep(100)

        waiting = await post.rows("waiting")
        assert {(row.name, row.attempts, row.last_error) for row in waiting} == {("phone.text", 0, None)}

        post.handle(TEXT, log.call)
        assert await log.until(41) == ["112", *["110"] * 40]


async def test_rows_of_a_removed_plugin_wait_until_it_is_back(autojump_clock: MockClock, post: Post, log: Log) -> None:
    post.handle(RING, log.call)
    post.outbox.remove("phone")
    async with post.delivering():
        await post.defer(RING, "112")
        await trio.sleep(100)
        assert log.entries == []

        post.handle(RING, log.call)
        assert await log.until(1) == ["112"]


async def test_a_plugin_removed_while_its_rows_are_done_leaves_the_rest_waiting(
    autojump_clock: MockClock, post: Post, log: Log
) -> None:
    async def fall(call: Call) -> None:
        await log.call(call)
        post.outbox.remove("phone")

    post.handle(RING, fall)
    await post.defer(RING, "1", "2", key="ann")
    async with post.delivering():
        await log.until(1)
        await trio.sleep(100)

    assert [(row.payload, row.attempts) for row in await post.rows()] == [('{"number":"2"}', 0)]


async def test_all_that_a_plugin_put_off_or_was_to_hear_is_forgotten_and_nothing_else(post: Post, log: Log) -> None:
    post.hear(log, "phone")
    post.hear(log, "chat")
    await post.tell("attic")
    await post.defer(RING, "112")

    await post.storage.write(lambda transaction: post.outbox.drop_of(transaction, "phone"))

    assert [(row.kind, row.subscriber) for row in await post.rows()] == [("event", "chat")]


# --- Attempts


async def test_a_failed_job_is_tried_again_with_growing_pauses_and_then_dead(
    autojump_clock: MockClock, post: Post, log: Log, logged: list[EventDict]
) -> None:
    log.fail("112", *[OSError("busy")] * 8)
    post.handle(RING, log.call)
    async with post.delivering():
        await post.defer(RING, "112")
        await post.empty()

    assert [moment for _, moment in log.entries] == [0, 5, 15, 35, 75, 155, 315, 635]
    [row] = await post.rows("dead")
    assert (row.name, row.attempts, row.last_error, row.payload) == (
        "phone.ring",
        8,
        "OSError: busy",
        '{"number":"112"}',
    )
    assert [entry["event"] for entry in logged] == ["a delivery failed"] * 7 + ["a delivery is given up"]
    assert (logged[-1]["plugin"], logged[-1]["name"], logged[-1]["row"]) == ("phone", "phone.ring", row.id)


async def test_a_pause_is_an_hour_at_most(autojump_clock: MockClock, post: Post, log: Log) -> None:
    patient = Job("phone.ring", Call, attempts=5, backoff=1500)
    log.fail("112", *[OSError("busy")] * 5)
    post.handle(patient, log.call)
    async with post.delivering():
        await post.defer(patient, "112")
        await post.empty()

    assert [moment for _, moment in log.entries] == [0, 1500, 4500, 8100, 11700]


@pytest.mark.parametrize(("seconds", "waited"), [(300, 300), (1, 5), (-1, 5), (1e9, 24 * 3600)])
async def test_a_job_that_was_told_when_to_come_back_waits_so_long_and_never_less_than_otherwise(
    autojump_clock: MockClock, post: Post, log: Log, seconds: float, waited: int
) -> None:
    log.fail("112", NotYet("busy", seconds=seconds))
    post.handle(RING, log.call)
    async with post.delivering():
        await post.defer(RING, "112")
        await log.until(2)

    assert [at for _, at in log.entries] == [0, waited]


async def test_a_job_that_gives_up_is_dead_at_once(autojump_clock: MockClock, post: Post, log: Log) -> None:
    log.fail("112", GiveUp("the number is not in use"))
    post.handle(RING, log.call)
    async with post.delivering():
        await post.defer(RING, "112")
        await post.empty()

    [row] = await post.rows("dead")
    assert (row.attempts, row.last_error) == (1, "GiveUp: the number is not in use")


async def test_giving_up_in_a_nursery_counts(autojump_clock: MockClock, post: Post) -> None:
    async def dial() -> None:
        raise GiveUp("not in use")

    async def call(call: Call) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(dial)

    post.handle(RING, call)
    async with post.delivering():
        await post.defer(RING, "112")
        await post.empty()

    assert [(row.attempts, row.last_error) for row in await post.rows("dead")] == [(1, "GiveUp: not in use")]


async def test_an_attempt_past_its_deadline_has_failed(autojump_clock: MockClock, post: Post) -> None:
    began: list[float] = []

    async def hang(call: Call) -> None:
        began.append(trio.current_time())
        await trio.sleep_forever()

    post.handle(TEXT, hang)
    async with post.delivering():
        await post.defer(TEXT, "112")
        await post.empty()

    assert [round(moment - began[0]) for moment in began] == [0, 70, 200]
    assert [row.last_error for row in await post.rows("dead")] == ["not done within 10 s"]


async def test_a_payload_that_no_longer_fits_is_a_dead_letter(autojump_clock: MockClock, post: Post, log: Log) -> None:
    await post.defer(RING, "112")
    post.outbox.handle("phone", [JobHandler(Job("phone.ring", DoorRang), log.hear)])
    async with post.delivering():
        await post.empty()

    [row] = await post.rows("dead")
    assert (row.last_error or "").startswith("the payload does not fit DoorRang: Object missing required field `door`")
    assert log.entries == []


async def test_a_row_behind_a_dead_one_goes_on(autojump_clock: MockClock, post: Post, log: Log) -> None:
    log.fail("front", GiveUp("no"))
    post.hear(log)
    async with post.delivering():
        await post.tell("front", "attic")
        assert await log.until(2) == ["front", "attic"]


async def test_a_dead_letter_is_tried_again_when_an_admin_says_so(
    autojump_clock: MockClock, post: Post, log: Log
) -> None:
    log.fail("112", GiveUp("no"))
    log.fail("110", GiveUp("no"))
    post.handle(RING, log.call)
    async with post.delivering():
        await post.defer(RING, "112")
        await post.empty()
        await post.defer(RING, "110")
        await post.empty()
        first, second = await post.rows("dead")

        assert await post.storage.write(lambda transaction: post.outbox.retry(transaction, [second.id])) == 1
        post.outbox.ring()
        assert await log.until(3) == ["112", "110", "110"]
        await post.empty()
        assert [row.id for row in await post.rows()] == [first.id]

        assert await post.storage.write(post.outbox.retry) == 1
        post.outbox.ring()
        assert await log.until(4) == ["112", "110", "110", "112"]


async def test_a_delivery_is_not_made_anew_while_the_storage_takes_nothing(
    autojump_clock: MockClock, post: Post, log: Log
) -> None:
    post.handle(RING, log.call)

    def break_table(transaction: Transaction) -> None:
        transaction.connection.exec_driver_sql(
            "CREATE TRIGGER core_outbox_stuck BEFORE DELETE ON core_outbox BEGIN SELECT RAISE(ABORT, 'stuck'); END"
        )

    def mend_table(transaction: Transaction) -> None:
        transaction.connection.exec_driver_sql("DROP TRIGGER core_outbox_stuck")

    await post.storage.write(break_table)
    async with post.delivering():
        await post.defer(RING, "112")
        await trio.sleep(300)
        assert log.entries == [("112", 0)]
        await post.storage.write(mend_table)
        await post.empty()

    assert log.entries == [("112", 0)]


# --- Time, keys, and how much at once


async def test_work_for_later_waits_until_then(autojump_clock: MockClock, post: Post, log: Log) -> None:
    post.handle(RING, log.call)
    async with post.delivering():
        await post.defer(RING, "later", seconds=3_000)
        await post.defer(RING, "sooner", seconds=100)
        await post.defer(RING, "now")
        await log.until(3)

    assert log.entries == [("now", 0), ("sooner", 100), ("later", 3_000)]


async def test_newer_work_for_later_replaces_what_waits_under_its_key(
    autojump_clock: MockClock, post: Post, log: Log
) -> None:
    post.handle(RING, log.call)
    post.handle(TEXT, log.call)
    async with post.delivering():
        await post.defer(RING, "old", key="ann", seconds=100)
        await post.defer(RING, "bob", key="bob", seconds=100)
        await post.defer(TEXT, "text", key="ann", seconds=100)
        await post.defer(RING, "new", key="ann", seconds=200)
        await log.until(3)
        await post.empty()

    assert sorted(log.entries) == [("bob", 100), ("new", 200), ("text", 100)]


async def test_work_at_once_replaces_nothing(autojump_clock: MockClock, post: Post, log: Log) -> None:
    post.handle(RING, log.call)
    async with post.delivering():
        await post.defer(RING, "appointment", key="ann", seconds=100)
        await post.defer(RING, "first", "second", key="ann")
        await log.until(3)

    assert log.entries == [("first", 0), ("second", 0), ("appointment", 100)]


async def test_rows_of_one_key_are_done_one_after_the_other(autojump_clock: MockClock, post: Post, log: Log) -> None:
    post.handle(RING, log.call_slowly)
    await post.defer(RING, *map(str, range(50)), key="ann")
    async with post.delivering():
        assert await log.until(50) == list(map(str, range(50)))

    assert log.most_running == 1


@pytest.mark.parametrize("key", [None, "ann"])
async def test_rows_that_are_being_done_are_not_begun_again(
    autojump_clock: MockClock, post: Post, log: Log, key: str | None
) -> None:
    post.handle(RING, log.call_slowly)
    async with post.delivering():
        for number in range(4):
            await post.defer(RING, str(number), key=key)
            await trio.sleep(0.2)
        await post.empty()

    assert [what for what, _ in log.entries] == ["0", "1", "2", "3"]


async def test_a_failing_key_holds_up_its_own_rows_only(autojump_clock: MockClock, post: Post, log: Log) -> None:
    post.handle(RING, log.call)
    log.fail("ann 1", OSError("busy"))
    await post.defer(RING, "ann 1", "ann 2", key="ann")
    await post.defer(RING, "bob 1", "bob 2", key="bob")
    async with post.delivering():
        await log.until(5)

    assert [entry for entry in log.entries if entry[0].startswith("ann")] == [("ann 1", 0), ("ann 1", 5), ("ann 2", 5)]
    assert [entry for entry in log.entries if entry[0].startswith("bob")] == [("bob 1", 0), ("bob 2", 0)]


async def test_one_jobs_rows_leave_room_for_others(autojump_clock: MockClock, post: Post, log: Log) -> None:
    quick = Log()
    post.handle(RING, log.call_slowly)
    post.handle(TEXT, quick.call)
    await post.defer(RING, *map(str, range(20)))
    await post.defer(TEXT, "text")
    async with post.delivering():
        await quick.until(1)
        assert quick.entries == [("text", 0)]
        await log.until(20)

    assert log.most_running == 4
    assert [moment for _, moment in log.entries] == [1] * 4 + [2] * 4 + [3] * 4 + [4] * 4 + [5] * 4


async def test_at_most_eight_handlers_run_at_once_and_every_job_gets_its_turn(
    autojump_clock: MockClock, post: Post, log: Log
) -> None:
    jobs = [Job(f"phone.line_{number}", Call) for number in range(5)]
    for job in jobs:
        post.handle(job, log.call_slowly)
        await post.defer(job, *[job.name] * 8)
    async with post.delivering():
        names = await log.until(40)

    assert log.most_running == 8
    assert log.entries[-1][1] == 5
    assert set(names[:24]) == {job.name for job in jobs}


async def test_a_wall_clock_that_jumps_back_changes_no_order(autojump_clock: MockClock, post: Post, log: Log) -> None:
    post.hear(log)

    def work(transaction: Transaction) -> None:
        for door, hours in (("front", 1), ("attic", 0)):
            then = transaction.now + timedelta(hours=hours)
            post.outbox.record(transaction.connection, [DoorRang(door)], [], then)

    await post.storage.write(work)
    async with post.delivering():
        assert await log.until(2) == ["front", "attic"]
    assert log.entries[-1][1] == 0


class Looks:
    """Stands where the worker stands, and notes whom it is told to look at."""

    def __init__(self) -> None:
        self.told: list[set[str]] = []

    def look_at(self, targets: Iterable[Target]) -> None:
        self.told.append({target.name for target in targets})


async def test_rows_noted_before_a_ring_and_committed_after_it_are_told_by_the_next(
    autojump_clock: MockClock, post: Post
) -> None:
    looks = Looks()
    post.outbox._worker = looks  # type: ignore[assignment]

    def work(transaction: Transaction) -> None:
        post.outbox.record(transaction.connection, [], [Deferred(RING, Call("112"))], transaction.now)
        # The ring for the batch before; the worker looks, and finds nothing yet.
        post.outbox.ring()
        transaction.defer(TEXT, Call("110"))

    await post.storage.write(work)
    post.outbox.ring()
    post.outbox.ring()

    assert looks.told == [{"phone.ring"}, {"phone.ring", "phone.text"}, {"phone.text"}, set()]


# --- Declarations and figures


async def test_a_job_belongs_to_the_plugin_that_its_name_begins_with(post: Post, log: Log) -> None:
    with pytest.raises(ManorError, match=r"'chat' handles the job 'phone\.ring': its name must begin with 'chat\.'"):
        post.outbox.handle("chat", [JobHandler(RING, log.call)])


async def test_a_job_has_one_handler(post: Post, log: Log) -> None:
    with pytest.raises(ManorError, match=r"'phone' handles the job 'phone\.ring' twice"):
        post.outbox.handle("phone", [JobHandler(RING, log.call), JobHandler(RING, log.call)])


async def test_a_payload_of_another_type_fails_the_unit_that_defers_it(autojump_clock: MockClock, post: Post) -> None:
    with pytest.raises(TypeError, match=r"phone\.ring takes Call, not DoorRang"):
        await post.storage.write(lambda transaction: transaction.defer(RING, DoorRang("front")))


async def test_the_list_comes_in_pages(autojump_clock: MockClock, post: Post) -> None:
    await post.defer(RING, "1", "2", "3")
    first = await post.storage.read(lambda transaction: post.outbox.list(transaction, most=2))
    rest = await post.storage.read(lambda transaction: post.outbox.list(transaction, after=first[-1].id))

    assert [row.payload for row in (*first, *rest)] == ['{"number":"1"}', '{"number":"2"}', '{"number":"3"}']
    assert [row.due_at for row in first] == [None, None]


async def test_what_waits_and_what_is_dead_is_counted(autojump_clock: MockClock, post: Post, log: Log) -> None:
    log.fail("112", GiveUp("no"))
    post.handle(RING, log.call)
    await post.defer(TEXT, "1", "2")
    async with post.delivering():
        await post.defer(RING, "112", "110")
        await log.until(2)
        await trio.sleep(30)

    text = post.metrics.render().decode()
    for line in (
        'manor_outbox_rows{state="waiting"} 2.0',
        'manor_outbox_rows{state="dead"} 1.0',
        'manor_outbox_attempts_total{outcome="done"} 1.0',
        'manor_outbox_attempts_total{outcome="dead"} 1.0',
    ):
        assert line in text


async def test_what_waits_is_counted_by_job_and_key(autojump_clock: MockClock, post: Post) -> None:
    for job, key in ((RING, "ada"), (RING, "ada"), (RING, "bob"), (RING, None), (TEXT, "ada")):
        await post.defer(job, "112", key=key)

    assert await post.storage.read(lambda transaction: post.outbox.waiting(transaction, RING)) == {"ada": 2, "bob": 1}
