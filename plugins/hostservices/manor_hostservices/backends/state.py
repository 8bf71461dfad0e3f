"""What was set from here, as it is stored: what `apply` puts the host into again."""

from __future__ import annotations

import msgspec

from manor_hostservices.places import Places
from manor_hostservices.refusals import Conflicting, Invalid, Missing
from manor_hostservices.rules import Rule, check_account_name, check_zone, is_reserved, read_public_key
from manor_hostservices.stored import StoredJson
from manor_hostservices.verbs import AutoUpgrade, SetAutoUpgrade, SetSsh, SshSettings

STATE_FILE = "state.json"


class Account(msgspec.Struct, frozen=True):
    """An account that was made from here.

    Args:
        name: What it is called.
        password_hash: As crypt(3) has it.
        keys: Its public keys, whole lines, in the order in which they came.
        uid: Its user id, where the host chose one: an account of this name with another one is somebody else's.
    """

    name: str
    password_hash: str
    keys: tuple[str, ...] = ()
    uid: int | None = None

    def __repr__(self) -> str:
        """Without the hash, whatever log or traceback it lands in."""
        return f"Account(name={self.name!r}, uid={self.uid!r})"


class HostState(msgspec.Struct, frozen=True):
    """What was set from here; what was not is left to the host.

    Args:
        services: Whether each service that was switched is on.
        ssh: The SSH server's settings; None: never set.
        accounts: In the order in which they were made.
        root_keys: Root's public keys that came from here.
        primary_keys: The primary account's that came from here.
        timezone: None: never set.
        auto_upgrade: None: never set.
        ssh_units: The units that were the SSH server when it was switched off: a service, a socket or both.
    """

    services: dict[str, bool] = {}
    ssh: SshSettings | None = None
    accounts: tuple[Account, ...] = ()
    root_keys: tuple[str, ...] = ()
    primary_keys: tuple[str, ...] = ()
    timezone: str | None = None
    auto_upgrade: AutoUpgrade | None = None
    ssh_units: tuple[str, ...] = ()

    def account(self, name: str) -> Account:
        """Find an account by its name.

        Raises:
            Missing: None was made from here.
        """
        for account in self.accounts:
            if account.name == name:
                return account
        raise Missing("User not found")


def stored_state(places: Places) -> StoredJson[HostState]:
    """The file in the helper's folder that it is stored in."""
    return StoredJson(places.own / STATE_FILE, HostState, HostState)


def with_account(state: HostState, account: Account) -> HostState:
    """Add an account.

    Raises:
        Conflicting: There is one of this name.
    """
    if any(other.name == account.name for other in state.accounts):
        raise Conflicting("User already exists")
    return msgspec.structs.replace(state, accounts=(*state.accounts, account))


def without_account(state: HostState, name: str) -> HostState:
    """Remove an account.

    Raises:
        Missing: None was made from here.
    """
    state.account(name)
    return msgspec.structs.replace(state, accounts=tuple(account for account in state.accounts if account.name != name))


def with_key(lines: tuple[str, ...], line: str) -> tuple[str, ...]:
    """Add a public key behind the others; lines that are no keys are left as they are.

    Raises:
        Invalid: It is none, or not of a kind that is taken.
        Conflicting: It is there, maybe with another comment.
    """
    try:
        blob = read_public_key(line).blob
    except Rule as rule:
        raise Invalid(str(rule)) from rule
    if any(_blob(other) == blob for other in lines):
        raise Conflicting("Key already exists")
    return (*lines, line)


def without_key(lines: tuple[str, ...], line: str) -> tuple[str, ...]:
    """Remove the line that is exactly this.

    Raises:
        Missing: There is none.
    """
    if line not in lines:
        raise Missing("Key not found")
    return tuple(other for other in lines if other != line)


def check_new_account(name: str, primary_user: str) -> None:
    """Check what a new account is called.

    Raises:
        Conflicting: The name is the system's or the primary account's.
        Invalid: It is no name.
    """
    if is_reserved(name):
        raise Conflicting("Username is forbidden")
    try:
        check_account_name(name)
    except Rule as rule:
        raise Invalid(str(rule)) from rule
    if name == primary_user:
        raise Conflicting("User already exists")


def check_timezone(zone: str) -> None:
    """Check that there is such a zone.

    Raises:
        Invalid: There is none.
    """
    try:
        check_zone(zone)
    except Rule as rule:
        raise Invalid(str(rule)) from rule


def check_passwords_off(before: SshSettings, verb: SetSsh, *, has_key: bool) -> None:
    """Check that nobody locks everybody out.

    Args:
        before: The settings as they are.
        verb: What is asked.
        has_key: Whether root or the primary account has a public key.

    Raises:
        Conflicting: Passwords would go off, with no key to come in by.
    """
    goes_off = before.password_authentication and verb.password_authentication is False
    if goes_off and not has_key and not verb.force:
        raise Conflicting("Nobody could sign in any more: add an SSH key for root or the primary user first")


def changed_ssh(before: SshSettings, verb: SetSsh) -> SshSettings:
    """The settings after a change; None leaves one as it is."""
    return SshSettings(
        before.enable if verb.enable is None else verb.enable,
        before.password_authentication if verb.password_authentication is None else verb.password_authentication,
    )


def changed_auto_upgrade(before: AutoUpgrade, verb: SetAutoUpgrade) -> AutoUpgrade:
    """The settings after a change; None leaves one as it is."""
    return AutoUpgrade(
        before.enable if verb.enable is None else verb.enable,
        before.allow_reboot if verb.allow_reboot is None else verb.allow_reboot,
    )


def _blob(line: str) -> bytes | None:
    try:
        return read_public_key(line).blob
    except Rule:
        return None
