"""Who may sign in: accounts that were made from here, and keys."""

from __future__ import annotations

import msgspec
import trio

from manor_hostservices.backends.state import (
    Account,
    HostState,
    check_new_account,
    with_account,
    with_key,
    without_account,
)
from manor_hostservices.backends.systemd.accounts import Accounts, HostAccount, check_ordinary
from manor_hostservices.backends.systemd.authorized_keys import Owner, change_lines, read_lines
from manor_hostservices.backends.systemd.record import Record
from manor_hostservices.places import Places
from manor_hostservices.refusals import Conflicting, HostRefusal, Invalid, Missing
from manor_hostservices.rules import Rule, read_public_key

ROOT = "root"
MATTER = "access"
"""Accounts, keys and the SSH server take turns: whether passwords may go off depends on keys."""


class People:
    """Accounts and keys.

    Keys are those that let somebody in: what is in the files, whoever wrote it. Lines that are no plain keys, such as
    comments or keys with options, are neither told nor touched.

    Args:
        accounts: The host's.
        record: What was set from here.
        places: Where the host's files are.
        primary_user: The account that stands for the administrator.
    """

    def __init__(self, accounts: Accounts, record: Record, places: Places, primary_user: str) -> None:
        self._accounts = accounts
        self._record = record
        self._places = places
        self._primary = primary_user

    async def names(self) -> list[str]:
        """Accounts that were made from here."""
        return [account.name for account in (await self._record.read()).accounts]

    async def add(self, name: str, password_hash: str) -> None:
        """Make an account; see `Backend.add_user`."""
        check_new_account(name, self._primary)
        async with self._record.turn(MATTER):
            wanted = Account(name, password_hash)
            with_account(await self._record.read(), wanted)
            await self._make(wanted)

    async def remove(self, name: str) -> None:
        """Remove an account; see `Backend.delete_user`."""
        if name == self._primary:
            raise Invalid("Cannot delete root user")
        async with self._record.turn(MATTER):
            known = _known(await self._record.read(), name)
            account, home = await self._accounts.find(name), None
            if account is not None:
                _check_ours(known, account)
                home = await self._accounts.remove(account)
            try:
                await self._record.change(lambda state: without_account(state, name))
            except HostRefusal:
                # Nobody would look for the files again, and the next account may get the same user id.
                if home is not None:
                    await self._accounts.remove_files(home)
                raise
        if home is not None:
            await self._accounts.remove_files(home)

    async def put_account_right(self, name: str, *, dry_run: bool) -> bool:
        """Make an account again that the host has no more, without its files; gives whether it was gone.

        The password of one that is there is its owner's: it may be newer than ours.
        """
        async with self._record.turn(MATTER):
            known = _known(await self._record.read(), name)
            account = await self._accounts.find(name)
            if account is not None:
                _check_ours(known, account)
                return False
            if not dry_run:
                await self._make(known)
            return True

    async def keys(self, user: str) -> list[str]:
        """An account's keys; see `Backend.keys`."""
        return _keys_in(await trio.to_thread.run_sync(read_lines, await self._owner(user)))

    async def add_key(self, user: str, key: str) -> None:
        """Let a key in; see `Backend.add_key`."""
        _check_key(key)
        async with self._record.turn(MATTER):
            owner = await self._owner(user)
            await trio.to_thread.run_sync(change_lines, owner, lambda lines: list(with_key(tuple(lines), key)))
            await self._record.change(lambda state: _with_kept(state, self._primary, user, added=key))

    async def remove_key(self, user: str, key: str) -> None:
        """Let a key in no more; see `Backend.remove_key`."""
        async with self._record.turn(MATTER):
            owner = await self._owner(user)

            kept = _kept(await self._record.read(), self._primary, user)

            def remove(lines: list[str]) -> list[str]:
                # One that somebody took out of the file would come back with the next `apply`.
                if key not in _keys_in(lines) and key not in kept:
                    raise Missing("Key not found")
                return [line for line in lines if line.strip() != key]

            await trio.to_thread.run_sync(change_lines, owner, remove)
            await self._record.change(lambda state: _with_kept(state, self._primary, user, removed=key))

    async def put_keys_right(self, user: str, *, dry_run: bool) -> bool:
        """Let the keys in again that came from here; gives whether some were gone. Others stay."""
        async with self._record.turn(MATTER):
            if not (kept := _kept(await self._record.read(), self._primary, user)):
                return False
            if dry_run and await self._accounts.find(user) is None:
                return True  # they would be put into the account that would be made before
            there = {_blob(key) for key in await self.keys(user)}
            gone = [key for key in kept if _blob(key) not in there]
            if gone and not dry_run:
                owner = await self._owner(user)
                await trio.to_thread.run_sync(change_lines, owner, lambda lines: [*lines, *gone])
            return bool(gone)

    async def has_key(self, user: str) -> bool:
        """Whether root or the primary account could come in by a key; one that is not here cannot."""
        try:
            return bool(await self.keys(user))
        except (Conflicting, Missing):
            return False

    async def _make(self, wanted: Account) -> None:
        made = await self._accounts.make(wanted.name, wanted.password_hash)
        ours = msgspec.structs.replace(wanted, uid=made.uid)

        def note(state: HostState) -> HostState:
            if all(account.name != ours.name for account in state.accounts):
                return with_account(state, ours)
            accounts = tuple(ours if account.name == ours.name else account for account in state.accounts)
            return msgspec.structs.replace(state, accounts=accounts)

        # After it is there: a power cut in between leaves an account that is nobody's to remove from here, and never
        # the right to remove one that somebody else makes.
        try:
            await self._record.change(note)
        except HostRefusal:
            # A full disk, say: whoever tries again must not find it taken.
            await self._accounts.unmake(made.name)
            raise

    async def _owner(self, user: str) -> Owner:
        known = None if user in (ROOT, self._primary) else (await self._record.read()).account(user)
        account = await self._accounts.find(user)
        if account is None:
            raise Missing("User not found")
        if known is not None:
            _check_ours(known, account)
        return Owner(self._places.at(account.home), account.uid, account.gid)


def _known(state: HostState, name: str) -> Account:
    try:
        return state.account(name)
    except Missing:
        raise Missing("User does not exist") from None


def _check_ours(known: Account, account: HostAccount) -> None:
    check_ordinary(account)
    if known.uid is not None and known.uid != account.uid:
        raise Conflicting("Somebody made this account anew; it is not ours any more")


def _check_key(key: str) -> None:
    try:
        read_public_key(key)
    except Rule as rule:
        raise Invalid(str(rule)) from rule


def _keys_in(lines: list[str]) -> list[str]:
    return [line.strip() for line in lines if _blob(line.strip()) is not None]


def _blob(line: str) -> bytes | None:
    try:
        return read_public_key(line).blob
    except Rule:
        return None


def _kept(state: HostState, primary: str, user: str) -> tuple[str, ...]:
    if user == ROOT:
        return state.root_keys
    return state.primary_keys if user == primary else state.account(user).keys


def _with_kept(
    state: HostState, primary: str, user: str, *, added: str | None = None, removed: str | None = None
) -> HostState:
    """Change what is known of an account's keys; a key is the same whatever its comment says."""
    changed = _blob(added or removed or "")
    keys = tuple(key for key in _kept(state, primary, user) if _blob(key) != changed)
    if added is not None:
        keys = (*keys, added)
    if user == ROOT:
        return msgspec.structs.replace(state, root_keys=keys)
    if user == primary:
        return msgspec.structs.replace(state, primary_keys=keys)
    accounts = tuple(
        msgspec.structs.replace(account, keys=keys) if account.name == user else account for account in state.accounts
    )
    return msgspec.structs.replace(state, accounts=accounts)
