"""Lockout: who guesses passwords is made to wait, over restarts too; whoever signed in from somewhere is let in there.

Counted per account, per account and address, and per address. Accounts that do not exist are counted like all others.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as insert_or

from manor.audit import Audit
from manor.errors import TooManyRequests
from manor.identity.credential_tables import failures, familiar
from manor.identity.credentials import digest
from manor.identity.names import EMAIL_LENGTH, fold_email
from manor.identity.users import User
from manor.limits import Address
from manor.storage import Transaction

ACCOUNT_FAILURES = 10
ADDRESS_FAILURES = 30
WINDOW = timedelta(minutes=15)
"""So many failures within this time lock for the same time, from the last of them on."""

FAMILIAR_FOR = timedelta(days=30)
"""How long an address counts as one's own after a sign-in from there."""


def account_of(user: User | None, login: str) -> str:
    """What failures are counted under: the person, or what was typed when nobody has that name."""
    return f"user {user.id}" if user is not None else f"login {fold_email(login.strip()[:EMAIL_LENGTH])}"


def check_lockout(transaction: Transaction, account: str, address: str, *, address_factor: float = 1) -> None:
    """Refuse who has failed too often.

    Args:
        transaction: The caller's.
        account: What `account_of` says.
        address: Where the request comes from; "" counts as one address.
        address_factor: Multiplies the failures that one address may have, of all accounts together; 0 is no limit.

    Raises:
        TooManyRequests: 429 with the seconds until the next try; for the right password just the same.
    """
    until = _locked_until(transaction, account, address, address_factor)
    if until is not None:
        seconds = math.ceil((until - transaction.now).total_seconds())
        raise TooManyRequests("Too many failed sign-ins; try again later", retry_after=seconds)


def note_failure(
    transaction: Transaction, account: str, address: str, *, user: User | None = None, address_factor: float = 1
) -> None:
    """Count a wrong password or code. One that locks is written into the audit log, with the person if there is one."""
    prune_failures(transaction)
    # What people type where a name belongs is a password now and then: it is not kept as it is.
    transaction.connection.execute(
        insert(failures).values(
            account=digest(account), address=_network(address), failed_at=transaction.now, is_cleared=False
        )
    )
    until = _locked_until(transaction, account, address, address_factor)
    if until is not None:
        target = "" if user is None else str(user.id)
        detail = {"address": address, "until": until}
        Audit().record(transaction, "identity.locked_out", actor="anonymous", target=target, detail=detail)


def note_success(transaction: Transaction, account: str, address: str) -> None:
    """Somebody signed in: their account's counter begins anew, and the address is one of theirs for 30 days."""
    clear_lockout(transaction, account)
    statement = insert_or(familiar).values(account=digest(account), address=_network(address), used_at=transaction.now)
    transaction.connection.execute(
        statement.on_conflict_do_update(
            index_elements=[familiar.c.account, familiar.c.address], set_={"used_at": transaction.now}
        )
    )


def clear_lockout(transaction: Transaction, account: str) -> None:
    """Begin the account's counter anew, as after a password reset. What an address did goes on to count for it."""
    transaction.connection.execute(
        update(failures).where(failures.c.account == digest(account)).values(is_cleared=True)
    )


def forget_account(transaction: Transaction, account: str) -> int:
    """Remove all that is kept about an account's sign-ins: for erasure. Returns how many rows are gone."""
    gone = 0
    for table in (failures, familiar):
        gone += transaction.connection.execute(delete(table).where(table.c.account == digest(account))).rowcount
    return gone


def _locked_until(transaction: Transaction, account: str, address: str, address_factor: float) -> datetime | None:
    hashed, network = digest(account), _network(address)
    of_account = (failures.c.account == hashed) & failures.c.is_cleared.is_(False)
    if _is_familiar(transaction, hashed, network):
        # Strangers' failures do not lock people out of where they sign in from.
        of_account &= failures.c.address == network
    ends = [_lock_end(transaction, of_account, ACCOUNT_FAILURES)]
    if address_factor:
        most = math.ceil(ADDRESS_FAILURES * address_factor)
        ends.append(_lock_end(transaction, failures.c.address == network, most))
    return max((end for end in ends if end is not None), default=None)


def _lock_end(transaction: Transaction, condition: ColumnElement[bool], most: int) -> datetime | None:
    """When the lock ends that the newest failures made, or None. Failures from a future that a clock once showed are
    left out: they would lock until it comes.
    """
    query = (
        select(failures.c.failed_at)
        .where(condition, failures.c.failed_at > transaction.now - 2 * WINDOW, failures.c.failed_at <= transaction.now)
        .order_by(failures.c.failed_at.desc())
        .limit(most)
    )
    times = transaction.connection.execute(query).scalars().all()
    if len(times) < most or times[0] - times[-1] > WINDOW:
        return None
    end: datetime = times[0] + WINDOW
    return end if end > transaction.now else None


def _is_familiar(transaction: Transaction, account: bytes, network: str) -> bool:
    query = select(familiar.c.used_at).where(
        familiar.c.account == account,
        familiar.c.address == network,
        familiar.c.used_at > transaction.now - FAMILIAR_FOR,
    )
    return transaction.connection.execute(query).one_or_none() is not None


def prune_failures(transaction: Transaction) -> None:
    """Forget what counts no more: failures, and where people signed in from."""
    now = transaction.now
    old = (failures.c.failed_at <= now - 2 * WINDOW) | (failures.c.failed_at > now + 2 * WINDOW)
    transaction.connection.execute(delete(failures).where(old))
    transaction.connection.execute(delete(familiar).where(familiar.c.used_at <= now - FAMILIAR_FOR))


def _network(address: str) -> str:
    return str(Address(address))
