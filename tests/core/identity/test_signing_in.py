"""Signing in with a password: who gets in, and what the others learn (nothing)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pyotp
import pytest
import trio
from sqlalchemy import select

from manor.clock import SetClock
from manor.config import IdentityConfig
from manor.errors import Refused, TooManyRequests
from manor.identity import (
    SYSTEM_ID,
    Disabled,
    Identity,
    MfaRequired,
    NewUser,
    NotVerified,
    User,
    WrongCredentials,
    activate_totp,
    add_user,
    begin_totp,
    check_own_password,
    check_password_of,
)
from manor.identity.tables import users
from manor.live import LiveService
from manor.storage import Storage, Transaction

PASSWORD = "correct horse battery"
HOME, ELSEWHERE = "192.0.2.1", "198.51.100.7"

SignIn = Callable[..., Awaitable[User]]


@pytest.fixture
async def eve(storage: Storage, identity: Identity) -> User:
    """Somebody with a password."""
    new = NewUser(
        username="Eve",
        email="eve@example.org",
        tier="FREE",
        password_hash=await identity.hasher.hash(PASSWORD),
        is_verified=True,
    )
    return await storage.write(lambda transaction: add_user(transaction, new))


@pytest.fixture
def sign_in(identity: Identity, storage: Storage) -> SignIn:
    async def sign_in(
        login: str = "eve", password: str = PASSWORD, address: str = ELSEWHERE, code: str | None = None
    ) -> User:
        return await check_password_of(identity, storage, login, password, address=address, code=code)

    return sign_in


@pytest.fixture
def verified(identity: Identity, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that were verified, whose number is what signing in costs."""
    hashes: list[str] = []
    verify = identity.hasher.verify

    async def noted(password_hash: str, password: str) -> bool:
        hashes.append(password_hash)
        return await verify(password_hash, password)

    monkeypatch.setattr(identity.hasher, "verify", noted)
    return hashes


async def outcome(attempt: Awaitable[User]) -> str:
    try:
        await attempt
    except Refused as refused:
        return type(refused).__name__
    return "in"


async def set_user(storage: Storage, user: User, **values: Any) -> None:
    await storage.write(
        lambda transaction: transaction.connection.execute(users.update().where(users.c.id == user.id).values(values))
    )


async def hash_of(storage: Storage, user: User) -> str:
    query = select(users.c.password_hash).where(users.c.id == user.id)
    return await storage.read(lambda transaction: transaction.connection.execute(query).scalar_one())


@pytest.mark.parametrize("login", ["Eve", "eve", "EVE", "eve@example.org", "Eve@Example.ORG", " eve "])
async def test_people_sign_in_by_name_or_address(sign_in: SignIn, eve: User, login: str) -> None:
    assert await sign_in(login) == eve


@pytest.mark.parametrize(
    "login",
    [
        "nobody",
        "nobody@example.org",
        "",
        "@",
        "manor",
        "eve\0",
        "\ud800",
        "x" * 100_000,
        "\u0435ve",
        "eve@example.org\r\n.x",
    ],
)
async def test_unknown_people_are_refused_in_the_same_words_at_the_same_cost(
    sign_in: SignIn, eve: User, verified: list[str], login: str
) -> None:
    with pytest.raises(WrongCredentials) as wrong:
        await sign_in("eve", "wrong")
    with pytest.raises(WrongCredentials) as unknown:
        await sign_in(login)

    assert len(verified) == 2
    assert (unknown.value.detail, unknown.value.headers, unknown.value.extra) == (wrong.value.detail, {}, {})


async def test_a_dummy_costs_what_a_hash_costs(identity: Identity, eve: User, storage: Storage) -> None:
    real = await hash_of(storage, eve)

    assert identity.hasher.dummy.split("$")[:4] == real.split("$")[:4]
    assert [len(part) for part in identity.hasher.dummy.split("$")] == [len(part) for part in real.split("$")]
    assert not identity.hasher.is_outdated(identity.hasher.dummy)


@pytest.mark.parametrize(
    "password", ["", "wrong", PASSWORD.upper(), PASSWORD + "\0", "\ud800", "x" * 1_000_000], ids=len
)
async def test_wrong_passwords_cost_one_verification(
    sign_in: SignIn, eve: User, verified: list[str], password: str
) -> None:
    assert await outcome(sign_in(password=password)) == "WrongCredentials"
    assert len(verified) == 1


async def test_people_without_a_password_are_refused_like_unknown_ones(
    sign_in: SignIn, ada: User, verified: list[str]
) -> None:
    assert await outcome(sign_in("ada", "")) == "WrongCredentials"
    assert await outcome(sign_in("ada", "nobody's password")) == "WrongCredentials"
    assert len(verified) == 2


async def test_the_system_person_signs_in_with_no_password(
    sign_in: SignIn, storage: Storage, identity: Identity
) -> None:
    made = await identity.hasher.hash(PASSWORD)
    await storage.write(
        lambda t: t.connection.execute(users.update().where(users.c.id == SYSTEM_ID).values(password_hash=made))
    )

    assert await outcome(sign_in("manor")) == "WrongCredentials"


async def test_that_an_address_is_not_proven_is_told_only_to_who_knows_the_password(
    sign_in: SignIn, storage: Storage, eve: User
) -> None:
    await set_user(storage, eve, is_verified=False)

    assert await outcome(sign_in(password="wrong")) == "WrongCredentials"
    with pytest.raises(NotVerified):
        await sign_in()


async def test_that_an_account_is_disabled_is_told_only_to_who_knows_the_password(
    sign_in: SignIn, storage: Storage, eve: User
) -> None:
    await set_user(storage, eve, is_active=False)

    assert await outcome(sign_in(password="wrong")) == "WrongCredentials"
    with pytest.raises(Disabled):
        await sign_in()


async def test_addresses_need_no_proof_where_the_admin_says_so(storage: Storage, clock: SetClock, eve: User) -> None:
    await set_user(storage, eve, is_verified=False)
    config = IdentityConfig(argon2_memory_mib=19, argon2_time=2, require_verification=False)
    trusting = Identity(config, default_tier="", storage=storage, clock=clock, live=LiveService(), inline=True)

    user = await check_password_of(trusting, storage, "eve", PASSWORD, address=HOME)

    assert user.id == eve.id


async def test_ten_failures_lock_known_and_unknown_accounts_alike(sign_in: SignIn, eve: User, clock: SetClock) -> None:
    seen = {}
    for login in ("eve", "nobody"):
        seen[login] = [await outcome(sign_in(login, "wrong")) for _ in range(12)]
        with pytest.raises(TooManyRequests) as refused:
            await sign_in(login)
        assert refused.value.headers["Retry-After"] == "900"

    assert seen["eve"] == seen["nobody"] == ["WrongCredentials"] * 10 + ["TooManyRequests"] * 2
    clock.set(clock.now() + timedelta(minutes=15))
    assert await outcome(sign_in()) == "in"


async def test_a_name_and_an_address_are_one_account(sign_in: SignIn, eve: User) -> None:
    for login in ("eve", "eve@example.org") * 5:
        assert await outcome(sign_in(login, "wrong")) == "WrongCredentials"

    assert await outcome(sign_in()) == "TooManyRequests"


async def test_a_locked_account_costs_no_hash(sign_in: SignIn, eve: User, verified: list[str]) -> None:
    for _ in range(10):
        await outcome(sign_in(password="wrong"))
    verified.clear()

    assert await outcome(sign_in()) == "TooManyRequests"
    assert verified == []


async def test_a_burst_of_guesses_learns_ten_answers(sign_in: SignIn, eve: User) -> None:
    outcomes: list[str] = []

    async def guess(password: str) -> None:
        outcomes.append(await outcome(sign_in(password=password)))

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(guess, "wrong")

    assert sorted(outcomes) == ["TooManyRequests"] * 10 + ["WrongCredentials"] * 10


async def test_many_sign_ins_of_one_person_at_once_all_succeed(sign_in: SignIn, eve: User) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(sign_in)


async def test_strangers_lock_nobody_out_of_their_home(sign_in: SignIn, eve: User) -> None:
    await sign_in(address=HOME)
    for _ in range(10):
        await outcome(sign_in(password="wrong"))

    assert await outcome(sign_in(address=ELSEWHERE)) == "TooManyRequests"
    assert await outcome(sign_in(address=HOME)) == "in"


async def test_a_hash_with_old_parameters_is_made_anew(
    sign_in: SignIn, storage: Storage, clock: SetClock, eve: User
) -> None:
    old = await hash_of(storage, eve)
    await sign_in()
    assert await hash_of(storage, eve) == old
    config = IdentityConfig(argon2_memory_mib=20, argon2_time=2)
    stricter = Identity(config, default_tier="", storage=storage, clock=clock, live=LiveService(), inline=True)

    assert await outcome(check_password_of(stricter, storage, "eve", "wrong", address=HOME)) == "WrongCredentials"
    assert await hash_of(storage, eve) == old
    await check_password_of(stricter, storage, "eve", PASSWORD, address=HOME)
    assert (await hash_of(storage, eve)).startswith("$argon2id$v=19$m=20480,t=2,p=1$")
    assert await outcome(check_password_of(stricter, storage, "eve", PASSWORD, address=HOME)) == "in"


async def test_a_password_that_is_changed_while_it_is_checked_is_the_new_one(
    identity: Identity, storage: Storage, eve: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = await identity.hasher.hash("another password")
    verify = identity.hasher.verify

    async def meanwhile(password_hash: str, password: str) -> bool:
        is_right = await verify(password_hash, password)
        await set_user(storage, eve, password_hash=changed)
        return is_right

    monkeypatch.setattr(identity.hasher, "verify", meanwhile)

    assert await outcome(check_password_of(identity, storage, "eve", PASSWORD, address=HOME)) == "WrongCredentials"


async def enrol(storage: Storage, user: User, clock: SetClock) -> tuple[pyotp.TOTP, list[str]]:
    def work(transaction: Transaction) -> tuple[str, list[str]]:
        secret = begin_totp(transaction, user.id, account="eve").secret
        return secret, activate_totp(transaction, user.id, pyotp.TOTP(secret).at(transaction.now))

    secret, codes = await storage.write(work)
    clock.set(clock.now() + timedelta(minutes=5))
    return pyotp.TOTP(secret), codes


async def test_a_code_is_asked_for_only_of_who_knows_the_password(
    sign_in: SignIn, storage: Storage, eve: User, clock: SetClock
) -> None:
    app, codes = await enrol(storage, eve, clock)

    assert await outcome(sign_in(password="wrong")) == "WrongCredentials"
    with pytest.raises(MfaRequired) as refused:
        await sign_in()
    assert refused.value.extra == {"mfa_required": True}
    assert await outcome(sign_in(code=app.at(clock.now()))) == "in"
    assert await outcome(sign_in(code=codes[0])) == "in"
    assert await outcome(sign_in(code=codes[0])) == "MfaRequired"


async def test_a_wrong_password_takes_no_code(sign_in: SignIn, storage: Storage, eve: User, clock: SetClock) -> None:
    app, codes = await enrol(storage, eve, clock)
    for code in (app.at(clock.now()), codes[0]):
        assert await outcome(sign_in(password="wrong", code=code)) == "WrongCredentials"

    assert await outcome(sign_in(code=app.at(clock.now()))) == "in"
    assert await outcome(sign_in(code=codes[0])) == "in"


async def test_wrong_codes_lock_and_the_right_password_in_between_does_not_help(
    sign_in: SignIn, storage: Storage, eve: User, clock: SetClock
) -> None:
    app, _ = await enrol(storage, eve, clock)
    for _ in range(10):
        assert await outcome(sign_in(code="abcdef")) == "MfaRequired"
        await outcome(sign_in())

    assert await outcome(sign_in(code=app.at(clock.now()))) == "TooManyRequests"


async def test_somebody_signed_in_proves_their_password(identity: Identity, storage: Storage, eve: User) -> None:
    assert await check_own_password(identity, storage, eve.id, PASSWORD, address=HOME) == eve
    for _ in range(10):
        with pytest.raises(WrongCredentials):
            await check_own_password(identity, storage, eve.id, "wrong", address=HOME)
    with pytest.raises(TooManyRequests):
        await check_own_password(identity, storage, eve.id, PASSWORD, address=HOME)
    assert await outcome(check_password_of(identity, storage, "eve", PASSWORD, address=HOME)) == "TooManyRequests"


async def test_whoever_has_no_password_proves_none(identity: Identity, storage: Storage, ada: User) -> None:
    with pytest.raises(WrongCredentials):
        await check_own_password(identity, storage, ada.id, "", address=HOME)
