"""The first admin of a server that has nobody yet: made through a link that only its log has."""

from __future__ import annotations

from datetime import timedelta

from manor import (
    Command,
    Conflict,
    Head,
    NewUser,
    Open,
    PluginContext,
    Transaction,
    add_user,
    check_free,
    find_link,
    list_users,
    make_link,
    new_secret,
    use_link,
)
from manor_auth.commands import MakeSetupLink, SetupLink
from manor_auth.config import AuthConfig
from manor_auth.domain import Places
from manor_auth.registering import Wanted, check_wanted
from manor_auth.web_sessions import WebSessions

SETUP = "setup"
SETUP_LIFE = timedelta(minutes=15)

_TAKEN = "This server is set up already"


class SettingUp:
    """Makes the link, and the admin.

    Args:
        context: The plugin's.
        places: Where links lead.
        web_sessions: Signs the browser in that made the admin.
    """

    def __init__(self, context: PluginContext[AuthConfig], places: Places, web_sessions: WebSessions) -> None:
        self._storage = context.storage
        self._identity = context.identity
        self._audit = context.audit
        self._log = context.log
        self._places = places
        self._web_sessions = web_sessions

    async def announce(self) -> None:
        """Log a link when a server starts that has nobody yet."""
        # Most starts find somebody, and reading takes nothing from the writer.
        if await self.is_wanted():
            try:
                link = await self.make(MakeSetupLink())
            except Conflict:
                return
            minutes = int(SETUP_LIFE.total_seconds() / 60)
            self._log.warning("auth.setup_link", url=Open(link.url), good_for=f"{minutes} minutes")

    async def is_wanted(self) -> bool:
        """Whether nobody is here yet."""
        return not await self._storage.read(has_people)

    def commands(self) -> list[Command]:
        """For the hook."""
        return [Command("auth.make_setup_link", MakeSetupLink, self.make, returns=SetupLink)]

    async def make(self, arguments: MakeSetupLink) -> SetupLink:
        """Make a link; older ones are void.

        Raises:
            Conflict: Somebody is here already.
        """

        def work(transaction: Transaction) -> str:
            if has_people(transaction):
                raise Conflict(f"{_TAKEN}: manor user add --admin makes further admins")
            _, token = make_link(transaction, SETUP, email="", life=SETUP_LIFE)
            return token

        return SetupLink(self._places.setting_up(await self._storage.write(work)))

    async def is_good(self, token: str) -> bool:
        """Whether a link would make the first admin now."""

        def work(transaction: Transaction) -> bool:
            link = find_link(transaction, SETUP, token)
            if link is None or link.used_at is not None or link.expires_at <= transaction.now:
                return False
            return not has_people(transaction)

        return await self._storage.read(work)

    async def set_up(self, token: str, wanted: Wanted, head: Head) -> str:
        """Make the first admin, and sign them in. Of all who try at once, one succeeds.

        Args:
            token: Of the link.
            wanted: The admin. Who reads the log may be believed: the address counts as verified.
            head: The request.

        Returns:
            The value of a `Set-Cookie` header.

        Raises:
            Conflict: Somebody is here already.
            BadRequest: The link is unknown, expired or used.
            Unprocessable: 422 naming the field that cannot be taken; the link stays good.
        """

        def check(transaction: Transaction) -> None:
            if has_people(transaction):
                raise Conflict(_TAKEN)
            check_free(transaction, username=wanted.username, email=wanted.email)

        check_wanted(wanted)
        await self._storage.read(check)
        password_hash = await self._identity.hasher.hash(wanted.password)
        new = NewUser(
            username=wanted.username,
            email=wanted.email,
            tier=self._identity.default_tier,
            password_hash=password_hash,
            is_admin=True,
            is_verified=True,
        )
        secret = new_secret()

        def work(transaction: Transaction) -> None:
            check(transaction)
            use_link(transaction, SETUP, token)
            user = add_user(transaction, new)
            detail = {"address": head.address}
            self._audit.record(transaction, "auth.set_up", actor=str(user.id), target=str(user.id), detail=detail)
            self._web_sessions.begin(transaction, user.id, head, secret, method="set-up link")

        await self._storage.write(work)
        return self._web_sessions.cookie(secret)


def has_people(transaction: Transaction) -> bool:
    """Whether anybody is here who could be asked; the system person and bots could not."""
    after = ""
    while page := list_users(transaction, after=after):
        if not all(user.is_bot for user in page):
            return True
        after = page[-1].handle
    return False
