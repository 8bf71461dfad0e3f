"""Second factors: codes that work once, and recovery codes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
import trio

from manor.clock import SetClock
from manor.errors import BadRequest, Conflict
from manor.identity import (
    NewUser,
    TotpSetup,
    User,
    WrongCode,
    activate_totp,
    add_user,
    begin_totp,
    check_code,
    check_totp,
    count_recovery_codes,
    disable_totp,
    has_totp,
    have_totp,
    renew_recovery_codes,
    use_recovery_code,
)
from manor.storage import Storage

STEP = timedelta(seconds=30)


async def begun(storage: Storage, user: User) -> TotpSetup:
    return await storage.write(lambda transaction: begin_totp(transaction, user.id))


async def enrolled(storage: Storage, user: User, clock: SetClock) -> tuple[pyotp.TOTP, list[str]]:
    app = pyotp.TOTP((await begun(storage, user)).secret)
    code = app.at(clock.now())
    codes = await storage.write(lambda transaction: activate_totp(transaction, user.id, code))
    clock.set(clock.now() + 10 * STEP)
    return app, codes


async def checked(storage: Storage, user: User, code: str) -> bool:
    return await storage.write(lambda transaction: check_totp(transaction, user.id, code))


async def test_an_app_is_told_all_it_needs_and_no_log_is(storage: Storage, ada: User) -> None:
    setup = await begun(storage, ada)

    uri = urlsplit(setup.uri)
    assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", "/Manor:ada%40example.org")
    assert parse_qs(uri.query) == {"secret": [setup.secret], "issuer": ["Manor"]}
    assert setup.secret not in repr(setup)
    assert len(setup.secret) == 32


async def test_of_several_people_those_are_found_whose_app_is_active(
    storage: Storage, ada: User, clock: SetClock
) -> None:
    new = NewUser(username="bob", email="bob@example.org", tier="FREE")
    bob = await storage.write(lambda transaction: add_user(transaction, new))
    await enrolled(storage, ada, clock)
    await begun(storage, bob)

    assert await storage.read(lambda transaction: have_totp(transaction, [ada.id, bob.id])) == {ada.id}
    assert await storage.read(lambda transaction: have_totp(transaction, [])) == frozenset()


async def test_nothing_is_asked_before_the_app_has_proven_itself(storage: Storage, ada: User, clock: SetClock) -> None:
    app = pyotp.TOTP((await begun(storage, ada)).secret)

    assert not await storage.read(lambda transaction: has_totp(transaction, ada.id))
    assert not await checked(storage, ada, app.at(clock.now()))
    with pytest.raises(WrongCode):
        await storage.write(lambda transaction: activate_totp(transaction, ada.id, "000000"))
    assert not await storage.read(lambda transaction: has_totp(transaction, ada.id))


async def test_a_key_that_was_not_activated_is_replaced(storage: Storage, ada: User, clock: SetClock) -> None:
    old = pyotp.TOTP((await begun(storage, ada)).secret)
    new = pyotp.TOTP((await begun(storage, ada)).secret)

    with pytest.raises(WrongCode):
        await storage.write(lambda transaction: activate_totp(transaction, ada.id, old.at(clock.now())))
    await storage.write(lambda transaction: activate_totp(transaction, ada.id, new.at(clock.now())))


async def test_it_is_activated_once_and_only_with_a_key(storage: Storage, ada: User, clock: SetClock) -> None:
    with pytest.raises(BadRequest):
        await storage.write(lambda transaction: activate_totp(transaction, ada.id, "123456"))
    app, _ = await enrolled(storage, ada, clock)

    with pytest.raises(Conflict):
        await storage.write(lambda transaction: activate_totp(transaction, ada.id, app.at(clock.now())))
    with pytest.raises(Conflict):
        await begun(storage, ada)


async def test_the_code_that_activated_signs_nobody_in(storage: Storage, ada: User, clock: SetClock) -> None:
    app = pyotp.TOTP((await begun(storage, ada)).secret)
    code = app.at(clock.now())
    await storage.write(lambda transaction: activate_totp(transaction, ada.id, code))

    assert not await checked(storage, ada, code)


async def test_a_code_works_once(storage: Storage, ada: User, clock: SetClock) -> None:
    app, _ = await enrolled(storage, ada, clock)
    code = app.at(clock.now())

    assert await checked(storage, ada, code)
    assert not await checked(storage, ada, code)
    assert not await checked(storage, ada, app.at(clock.now() - STEP))
    assert await checked(storage, ada, app.at(clock.now() + STEP))


async def test_of_all_who_use_a_code_at_once_one_succeeds(storage: Storage, ada: User, clock: SetClock) -> None:
    app, _ = await enrolled(storage, ada, clock)
    outcomes: list[bool] = []

    async def try_it() -> None:
        outcomes.append(await checked(storage, ada, app.at(clock.now())))

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(try_it)

    assert sorted(outcomes) == [False] * 9 + [True]


@pytest.mark.parametrize(("steps", "is_taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
async def test_clocks_may_differ_by_one_step(
    storage: Storage, ada: User, clock: SetClock, steps: int, is_taken: bool
) -> None:
    app, _ = await enrolled(storage, ada, clock)

    assert await checked(storage, ada, app.at(clock.now() + steps * STEP)) is is_taken


async def test_a_code_with_blanks_in_it_is_read(storage: Storage, ada: User, clock: SetClock) -> None:
    app, _ = await enrolled(storage, ada, clock)
    code = app.at(clock.now())

    assert await checked(storage, ada, f" {code[:3]} {code[3:]} ")


@pytest.mark.parametrize(
    "code",
    [
        "",
        "12345",
        "\uff11\uff12\uff13\uff14\uff15\uff16",
        "\u0661\u0662\u0663\u0664\u0665\u0666",
        "-12345",
        "\ud800",
        "1" * 1_000_000,
        "None",
    ],
)
async def test_what_is_no_code_is_wrong(storage: Storage, ada: User, clock: SetClock, code: str) -> None:
    await enrolled(storage, ada, clock)

    assert not await storage.write(lambda transaction: check_code(transaction, ada.id, code))


async def test_a_clock_that_was_ahead_locks_nobody_out(storage: Storage, ada: User, clock: SetClock) -> None:
    app, _ = await enrolled(storage, ada, clock)
    now = clock.now()
    clock.set(now + timedelta(days=365))
    assert await checked(storage, ada, app.at(clock.now()))
    clock.set(now)

    assert await checked(storage, ada, app.at(now))
    assert not await checked(storage, ada, app.at(now))


async def test_each_of_ten_recovery_codes_works_once_however_it_is_typed(
    storage: Storage, ada: User, clock: SetClock
) -> None:
    _, codes = await enrolled(storage, ada, clock)
    assert len(set(codes)) == 10

    for code in (codes[0], codes[1].upper(), codes[2].replace("-", " ")):
        assert await storage.write(lambda t, code=code: check_code(t, ada.id, code))  # type: ignore[misc]
        assert not await storage.write(lambda t, code=code: check_code(t, ada.id, code))  # type: ignore[misc]
    assert await storage.read(lambda transaction: count_recovery_codes(transaction, ada.id)) == 7


async def test_new_recovery_codes_void_the_old(storage: Storage, ada: User, clock: SetClock) -> None:
    _, old = await enrolled(storage, ada, clock)
    new = await storage.write(lambda transaction: renew_recovery_codes(transaction, ada.id))

    assert not await storage.write(lambda transaction: use_recovery_code(transaction, ada.id, old[0]))
    assert await storage.write(lambda transaction: use_recovery_code(transaction, ada.id, new[0]))


async def test_disabling_forgets_key_and_codes(storage: Storage, ada: User, clock: SetClock) -> None:
    app, codes = await enrolled(storage, ada, clock)

    assert await storage.write(lambda transaction: disable_totp(transaction, ada.id))
    assert not await storage.write(lambda transaction: disable_totp(transaction, ada.id))
    assert not await checked(storage, ada, app.at(clock.now()))
    assert not await storage.write(lambda transaction: use_recovery_code(transaction, ada.id, codes[0]))


async def test_recovery_codes_stand_in_no_file(storage: Storage, ada: User, clock: SetClock, tmp_path: Path) -> None:
    _, codes = await enrolled(storage, ada, clock)

    contents = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert not any(code.encode() in contents or code.replace("-", "").encode() in contents for code in codes)
