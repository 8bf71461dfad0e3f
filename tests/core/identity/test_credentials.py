"""Credentials: issued, found, revoked; and their secrets, which stand nowhere."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy.exc import IntegrityError

from manor.clock import SetClock
from manor.events import Event
from manor.identity import (
    Credential,
    CredentialRevoked,
    NewCredential,
    User,
    change_credential,
    delete_credential,
    find_by_secret,
    find_credential,
    issue,
    list_credentials,
    new_secret,
    revoke,
    revoke_all,
)
from manor.storage import Storage, new_id

NOBODY = UUID(int=1)


async def issued(storage: Storage, secret: str, kind: str = "api_key", **fields: object) -> Credential:
    new = NewCredential(kind=kind, **fields)  # type: ignore[arg-type]  # the tests' own shorthand
    return await storage.write(lambda transaction: issue(transaction, new, secret))


async def found(storage: Storage, secret: str, kind: str | None = None) -> Credential | None:
    return await storage.read(lambda transaction: find_by_secret(transaction, secret, kind=kind))


def test_secrets_have_256_bits_and_a_prefix() -> None:
    secrets = {new_secret("noti_") for _ in range(100)}

    assert len(secrets) == 100
    assert {len(secret) for secret in secrets} == {5 + 43}
    assert all(secret.startswith("noti_") for secret in secrets)


async def test_a_credential_is_found_by_its_secret_as_it_was_issued(storage: Storage, ada: User) -> None:
    topic = new_id()
    new = NewCredential(
        kind="api_key",
        user_id=ada.id,
        resource=topic,
        scopes=("publish", "keys"),
        label="Tür 1",
        prefix="noti_abc",
        meta={"description": "for the door"},
    )
    credential = await storage.write(lambda transaction: issue(transaction, new, "s3cret"))

    assert await found(storage, "s3cret") == credential
    assert credential.scopes == ("publish", "keys")
    assert credential.meta == {"description": "for the door"}
    assert (credential.user_id, credential.resource, credential.use_count) == (ada.id, topic, 0)


async def test_another_secret_finds_nothing(storage: Storage) -> None:
    await issued(storage, "s3cret")

    assert [await found(storage, other) for other in ("", "s3cre", "S3CRET", "s3cret ", "s3cret\0", "\ud800")] == [
        None
    ] * 6


async def test_a_secret_of_another_kind_is_unknown(storage: Storage) -> None:
    await issued(storage, "s3cret", kind="device")

    assert await found(storage, "s3cret", kind="api_key") is None
    assert await found(storage, "s3cret", kind="device") is not None


async def test_a_secret_is_never_issued_twice(storage: Storage) -> None:
    await issued(storage, "s3cret", kind="device")

    with pytest.raises(IntegrityError):
        await issued(storage, "s3cret", kind="api_key")


async def test_a_credential_expires_on_the_dot(storage: Storage, clock: SetClock) -> None:
    now = clock.now()
    credential = await issued(storage, "s3cret", expires_at=now)

    assert credential.is_usable(now - timedelta(microseconds=1))
    assert not credential.is_usable(now)


async def test_a_revoked_credential_stays_known_and_opens_nothing(
    storage: Storage, clock: SetClock, ada: User, heard: list[Event]
) -> None:
    credential = await issued(storage, "s3cret", user_id=ada.id)

    assert await storage.write(lambda transaction: revoke(transaction, credential.id))

    known = await found(storage, "s3cret")
    assert known is not None
    assert not known.is_usable(clock.now())
    assert heard == [CredentialRevoked(credential_id=credential.id, user_id=ada.id)]


async def test_revoking_twice_or_what_is_not_there_tells_nobody(storage: Storage, heard: list[Event]) -> None:
    credential = await issued(storage, "s3cret")
    await storage.write(lambda transaction: revoke(transaction, credential.id))
    heard.clear()

    assert not await storage.write(lambda transaction: revoke(transaction, credential.id))
    assert not await storage.write(lambda transaction: revoke(transaction, NOBODY))
    assert not await storage.write(lambda transaction: delete_credential(transaction, NOBODY))
    assert heard == []


async def test_a_deleted_credential_is_gone_and_told_of(storage: Storage, heard: list[Event]) -> None:
    credential = await issued(storage, "s3cret")

    assert await storage.write(lambda transaction: delete_credential(transaction, credential.id))

    assert await storage.read(lambda transaction: find_credential(transaction, credential.id)) is None
    assert heard == [CredentialRevoked(credential_id=credential.id, user_id=None)]


async def test_a_revocation_that_is_rolled_back_tells_nobody(storage: Storage, heard: list[Event]) -> None:
    credential = await issued(storage, "s3cret")

    def work(transaction: object) -> None:
        revoke(transaction, credential.id)  # type: ignore[arg-type]  # what storage gives it
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        await storage.write(work)

    assert heard == []


async def test_all_of_a_person_are_revoked_but_one_and_other_kinds(
    storage: Storage, ada: User, heard: list[Event]
) -> None:
    first = await issued(storage, "1", user_id=ada.id)
    kept = await issued(storage, "2", user_id=ada.id)
    device = await issued(storage, "3", kind="device", user_id=ada.id)
    await issued(storage, "4", user_id=NOBODY)

    count = await storage.write(
        lambda transaction: revoke_all(transaction, user_id=ada.id, kinds=["api_key"], but=kept.id)
    )

    assert count == 1
    assert heard == [CredentialRevoked(credential_id=first.id, user_id=ada.id)]
    assert await storage.write(lambda transaction: revoke_all(transaction, user_id=ada.id)) == 2
    assert {event.credential_id for event in heard if isinstance(event, CredentialRevoked)} == {
        first.id,
        kept.id,
        device.id,
    }


async def test_lists_are_of_one_kind_and_person_or_thing_oldest_first(storage: Storage, ada: User) -> None:
    topic = new_id()
    first = await issued(storage, "1", user_id=ada.id)
    second = await issued(storage, "2", user_id=ada.id, resource=topic)
    await issued(storage, "3", user_id=NOBODY)
    await issued(storage, "4", kind="device", user_id=ada.id)

    assert await storage.read(lambda t: list_credentials(t, kind="api_key", user_id=ada.id)) == [first, second]
    assert await storage.read(lambda t: list_credentials(t, kind="api_key", resource=topic)) == [second]
    assert len(await storage.read(lambda t: list_credentials(t, kind="api_key"))) == 3


async def test_a_label_can_be_changed(storage: Storage) -> None:
    credential = await issued(storage, "1", label="old")

    assert await storage.write(lambda transaction: change_credential(transaction, credential.id, label="new"))
    assert not await storage.write(lambda transaction: change_credential(transaction, NOBODY, label="new"))

    changed = await found(storage, "1")
    assert changed is not None
    assert changed.label == "new"


async def test_what_a_plugin_keeps_with_it_can_be_changed(storage: Storage) -> None:
    credential = await issued(storage, "1", label="old", meta={"uses_left": 2})

    await storage.write(lambda transaction: change_credential(transaction, credential.id, meta={"uses_left": 1}))

    changed = await found(storage, "1")
    assert changed is not None
    assert (changed.label, changed.meta) == ("old", {"uses_left": 1})


async def test_the_secret_stands_neither_in_the_files_nor_in_the_struct(storage: Storage, tmp_path: Path) -> None:
    secret = new_secret("noti_")
    credential = await issued(storage, secret, prefix=secret[:8])

    assert secret not in repr(credential)
    for file in tmp_path.iterdir():
        assert secret.encode() not in file.read_bytes()
