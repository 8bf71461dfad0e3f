"""Which passwords are taken, and that hashing them cannot take the server down."""

from __future__ import annotations

import threading

import pytest
import trio
import trio.testing

from manor.errors import Unavailable, Unprocessable
from manor.identity import Hasher, check_password
from manor.identity.passwords import AT_ONCE, WAITING, common_passwords


def hasher(*, inline: bool = False) -> Hasher:
    return Hasher(memory_mib=19, passes=2, inline=inline)


@pytest.mark.parametrize(
    "password",
    [
        "",
        "sevench",
        "x" * 1025,
        "password",
        "PassWord123",
        "Ada.Lovelace",
        "ADA@example.org",
        "long enough \udc80",
        "u\u0308" * 7,  # seven characters once composed
    ],
)
def test_a_password_that_is_short_endless_common_or_the_persons_own_name_is_refused(password: str) -> None:
    with pytest.raises(Unprocessable) as caught:
        check_password(password, username="ada.lovelace", email="ada@example.org")

    assert [problem.field for problem in caught.value.errors] == ["password"]


@pytest.mark.parametrize("password", ["eightchr", "x" * 1024, "all lower case", "日本語のパスワード", "ada.lovelace!"])
def test_length_is_what_counts(password: str) -> None:
    check_password(password, username="ada.lovelace", email=None)


def test_the_list_of_common_passwords_has_no_comment_in_it_and_nothing_that_is_too_short() -> None:
    assert len(common_passwords()) >= 200
    assert [line for line in common_passwords() if len(line) < 8 or "tried first" in line] == []


@pytest.mark.parametrize("inline", [False, True])
async def test_a_hash_knows_its_password_and_no_other(inline: bool) -> None:
    keeper = hasher(inline=inline)

    kept = await keeper.hash("correct horse")

    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await keeper.verify(kept, "correct horse")
    assert not await keeper.verify(kept, "correct horsf")
    assert kept != await keeper.hash("correct horse")


async def test_composed_and_decomposed_spellings_are_one_password() -> None:
    keeper = hasher(inline=True)

    assert await keeper.verify(await keeper.hash("gr\u00fc\u00dfe f\u00fcr alle"), "gru\u0308\u00dfe fu\u0308r alle")


async def test_the_end_of_a_long_password_counts() -> None:
    keeper = hasher(inline=True)

    kept = await keeper.hash("x" * 1023 + "a")

    assert not await keeper.verify(kept, "x" * 1023 + "b")


class Bench:
    """In the place of argon2: holds every caller until it is opened, and counts how many are in it."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.full = threading.Semaphore(0)
        self._lock = threading.Lock()
        self.inside = 0
        self.most = 0

    def hash(self, password: str) -> str:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.full.release()
        self.opened.wait()
        with self._lock:
            self.inside -= 1
        return password


async def test_two_hash_at_once_a_queue_waits_and_the_rest_is_told_to_come_back() -> None:
    bench = Bench()
    keeper = hasher()
    keeper._argon2 = bench  # type: ignore[assignment] # the library, held still

    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE + WAITING):
            nursery.start_soon(keeper.hash, "correct horse")
        for _ in range(AT_ONCE):
            await trio.to_thread.run_sync(bench.full.acquire)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(Unavailable) as caught:
            await keeper.hash("one too many")
        bench.opened.set()

    assert caught.value.headers == {"Retry-After": "2"}
    assert bench.most == AT_ONCE
    assert await keeper.hash("there is room again") == "there is room again"


async def test_one_who_gives_up_waiting_makes_room() -> None:
    bench = Bench()
    keeper = hasher()
    keeper._argon2 = bench  # type: ignore[assignment] # the library, held still

    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE):
            nursery.start_soon(keeper.hash, "correct horse")
        for _ in range(AT_ONCE):
            await trio.to_thread.run_sync(bench.full.acquire)
        async with trio.open_nursery() as waiting:
            for _ in range(WAITING):
                waiting.start_soon(keeper.hash, "correct horse")
            await trio.testing.wait_all_tasks_blocked()
            waiting.cancel_scope.cancel()
        nursery.start_soon(keeper.hash, "correct horse")
        await trio.testing.wait_all_tasks_blocked()
        bench.opened.set()

    assert bench.inside == 0
