"""Work that is done for many at once: as if it were done for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from manor.errors import Conflict, Refused, StorageFull
from manor.events import Event
from manor.storage import Joint, Storage, Transaction
from tests.core.storage.test_writing import DoorRang, doors, ring


class Bells:
    """Rings bells jointly, and notes of how many it was asked each time."""

    def __init__(self) -> None:
        self.asked: list[Sequence[str]] = []
        self.joint: Joint[str, str] = Joint(self._ring)

    def _ring(self, transaction: Transaction, bells: Sequence[str]) -> Sequence[str | Refused]:
        self.asked.append(list(bells))
        return [self._one(transaction, bell) for bell in bells]

    def _one(self, transaction: Transaction, bell: str) -> str | Refused:
        if bell == "dumb":
            return Conflict("this one is dumb")
        transaction.connection.exec_driver_sql("INSERT INTO doors_rings (door) VALUES (?)", (bell,))
        transaction.emit(DoorRang(door=bell))
        if bell == "broken":
            raise LookupError("it fell off")
        if bell == "giant":
            transaction.connection.exec_driver_sql("UPDATE doors_rings SET note = zeroblob(4000000)")
        return bell.upper()


async def rung(storage: Storage, bells: Bells, *names: str) -> list[Any]:
    """Ring them so that they share a batch; what each brought."""
    laters = [storage.submit_joint(bells.joint, name) for name in names]
    await storage.write(lambda transaction: None)
    results: list[Any] = []
    for later in laters:
        try:
            results.append(later.take())
        except Exception as error:
            results.append(type(error))
    return results


def told(journal: list[Any]) -> list[str]:
    events: list[Event] = [entry[1] for entry in journal if entry[0] == "inline"]
    return [event.door for event in events if isinstance(event, DoorRang)]


async def test_units_of_a_joint_that_follow_each_other_are_one_and_have_answers_of_their_own(
    storage: Storage, journal: list[Any]
) -> None:
    bells, commits = Bells(), storage.commits

    assert await rung(storage, bells, *"abc") == ["A", "B", "C"]

    assert bells.asked == [["a", "b", "c"]]
    assert storage.commits == commits + 1
    assert await doors(storage) == told(journal) == ["a", "b", "c"]


async def test_a_refused_payload_is_refused_alone(storage: Storage, journal: list[Any]) -> None:
    bells = Bells()

    assert await rung(storage, bells, "dumb", "a", "dumb", "b") == [Conflict, "A", Conflict, "B"]

    assert len(bells.asked) == 1
    assert await doors(storage) == told(journal) == ["a", "b"]
    assert await rung(storage, bells, "dumb") == [Conflict]


async def test_what_cannot_be_done_jointly_is_done_one_by_one(storage: Storage, journal: list[Any]) -> None:
    bells = Bells()

    assert await rung(storage, bells, "a", "broken", "dumb", "b") == ["A", LookupError, Conflict, "B"]

    assert bells.asked == [["a", "broken", "dumb", "b"], ["a"], ["broken"], ["dumb"], ["b"]]
    assert await doors(storage) == told(journal) == ["a", "b"]


async def test_units_keep_their_order_whatever_stands_between_them(storage: Storage, journal: list[Any]) -> None:
    bells, others = Bells(), Bells()

    for bell in "ab":
        storage.submit_joint(bells.joint, bell)
    storage.submit(ring("c"))
    storage.submit_joint(bells.joint, "d")
    storage.submit_joint(others.joint, "e")
    await storage.write(ring("f"))

    assert (bells.asked, others.asked) == ([["a", "b"], ["d"]], [["e"]])
    assert await doors(storage) == told(journal) == list("abcdef")


async def test_a_joint_that_fills_the_disk_takes_nobody_with_it(storage: Storage, journal: list[Any]) -> None:
    def limit(transaction: Transaction) -> None:
        used = transaction.connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        transaction.connection.exec_driver_sql(f"PRAGMA max_page_count = {used + 100}").all()

    await storage.write(limit)
    bells = Bells()

    assert await rung(storage, bells, "a", "giant", "dumb", "b") == ["A", StorageFull, Conflict, "B"]

    assert await doors(storage) == told(journal) == ["a", "b"]
