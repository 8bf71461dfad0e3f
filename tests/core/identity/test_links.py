"""Single-use links, and the ways in which they are no good."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import trio

from manor.clock import SetClock
from manor.identity import (
    Link,
    LinkExpired,
    LinkUnknown,
    LinkUsed,
    User,
    find_link,
    list_consents,
    make_link,
    record_consent,
    use_link,
    void_links,
)
from manor.storage import Storage

HOUR = timedelta(hours=1)


async def made(storage: Storage, purpose: str = "reset", email: str = "ada@example.org") -> tuple[Link, str]:
    return await storage.write(lambda t: make_link(t, purpose, email=email, life=HOUR, meta={"next": "/"}))


async def used(storage: Storage, token: str, purpose: str = "reset") -> Link:
    return await storage.write(lambda transaction: use_link(transaction, purpose, token))


async def test_a_link_works_once(storage: Storage, clock: SetClock) -> None:
    link, token = await made(storage)

    spent = await used(storage, token)

    assert (spent.id, spent.used_at, spent.meta) == (link.id, clock.now(), {"next": "/"})
    with pytest.raises(LinkUsed) as refused:
        await used(storage, token)
    assert refused.value.link == spent


async def test_of_all_who_use_a_link_at_once_one_succeeds(storage: Storage) -> None:
    _, token = await made(storage)
    outcomes: list[str] = []

    async def try_it() -> None:
        try:
            await used(storage, token)
            outcomes.append("in")
        except LinkUsed:
            outcomes.append("late")

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(try_it)

    assert sorted(outcomes) == ["in"] + ["late"] * 19


async def test_a_newer_link_voids_the_older(storage: Storage) -> None:
    _, old = await made(storage)
    _, other_purpose = await made(storage, "verify")
    _, other_address = await made(storage, email="bob@example.org")
    _, newer = await made(storage, email="ADA@example.org")

    with pytest.raises(LinkUnknown):
        await used(storage, old)
    assert await storage.read(lambda transaction: find_link(transaction, "reset", old)) is None
    await used(storage, newer)
    await used(storage, other_address)
    await used(storage, other_purpose, "verify")


async def test_a_used_link_stays_known_when_a_newer_one_is_made(storage: Storage) -> None:
    _, token = await made(storage)
    await used(storage, token)
    await made(storage)

    with pytest.raises(LinkUsed):
        await used(storage, token)


async def test_a_link_expires_on_the_dot_and_never_works_again(storage: Storage, clock: SetClock) -> None:
    _, token = await made(storage)
    clock.set(clock.now() + HOUR)

    with pytest.raises(LinkExpired):
        await used(storage, token)
    link = await storage.read(lambda transaction: find_link(transaction, "reset", token))
    assert link is not None
    assert link.used_at is None


async def test_a_used_link_expires_too(storage: Storage, clock: SetClock) -> None:
    _, token = await made(storage)
    await used(storage, token)
    clock.set(clock.now() + HOUR)

    with pytest.raises(LinkExpired):
        await used(storage, token)


@pytest.mark.parametrize(
    "token", ["", "x", "\ud800", "' OR 1=1 --", "x" * 1_000_000], ids=["empty", "short", "surrogate", "quoted", "long"]
)
async def test_what_is_no_token_is_unknown(storage: Storage, token: str) -> None:
    await made(storage)

    with pytest.raises(LinkUnknown):
        await used(storage, token)


async def test_a_link_is_good_for_its_purpose_alone(storage: Storage) -> None:
    _, token = await made(storage, "verify")

    with pytest.raises(LinkUnknown):
        await used(storage, token, "reset")
    await used(storage, token, "verify")


async def test_a_persons_links_can_be_voided(storage: Storage, ada: User) -> None:
    _, token = await storage.write(lambda t: make_link(t, "reset", email="ada@example.org", user_id=ada.id, life=HOUR))

    assert await storage.write(lambda transaction: void_links(transaction, ada.id, purpose="verify")) == 0
    assert await storage.write(lambda transaction: void_links(transaction, ada.id)) == 1
    with pytest.raises(LinkUnknown):
        await used(storage, token)


async def test_tokens_stand_neither_in_the_files_nor_in_the_struct(storage: Storage, tmp_path: Path) -> None:
    link, token = await made(storage)

    assert token not in repr(link)
    for file in tmp_path.iterdir():
        assert token.encode() not in file.read_bytes()


async def test_the_newest_consent_of_a_type_is_the_active_one(storage: Storage, ada: User) -> None:
    for kind, version in (("tos", "1.0"), ("privacy", "1.0"), ("tos", "2.0")):
        await storage.write(
            lambda t, kind=kind, version=version: record_consent(  # type: ignore[misc]  # bound now, not later
                t, ada.id, consent_type=kind, document_version=version, method="web_checkbox"
            )
        )

    consents = await storage.read(lambda transaction: list_consents(transaction, ada.id))

    assert [(each.consent_type, each.document_version, each.is_active) for each in consents] == [
        ("tos", "2.0", True),
        ("privacy", "1.0", True),
        ("tos", "1.0", False),
    ]
