"""Keeping order: messages hidden, people and addresses shut out, and who may do that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
import trio

from manor import BadRequest, Forbidden, Transaction, parse_id
from manor_stream.chat import frames, store
from manor_stream.chat.listing import ChatClient
from manor_stream.chat.standing import as_written, read_network
from manor_stream.events import ChatAddressBanned, ChatUser, ChatUserModerated, ChatVisibilityChanged
from manor_stream.key_check import USER

if TYPE_CHECKING:
    from manor_stream.parts import Shared


class DisabledUser(ChatUser, frozen=True, rename="camel", kw_only=True):
    """Somebody who may not write, and since when."""

    disabled_at: datetime


class BannedAddress(msgspec.Struct, frozen=True, rename="camel"):
    """An address, or a network, that is shut out."""

    ip_address: str
    created_at: datetime


class UserDetails(msgspec.Struct, frozen=True, rename="camel"):
    """Somebody, for those who keep order: who they are, where they are connected, and what they wrote."""

    user: ChatUser
    connected_clients: list[ChatClient]
    messages: list[frames.Message]


class Moderation:
    """What administrators and moderators do.

    A moderator (`by`) acts on nothing of the server's and of other moderators'; an administrator on everything. Who is
    shut out, let in, and may keep order is written into the audit log, and into the logbook for the admin page.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._storage = shared.context.storage
        self._audit = shared.context.audit
        self._logbook = shared.logbook
        self._chat = shared.chat

    # --- Messages ------------------------------------------------------------------------------------------------

    async def messages(self) -> list[frames.Message]:
        """The newest messages, hidden ones too, the oldest first."""
        return await self._storage.read(lambda transaction: store.newest(transaction.connection))

    async def set_visible(self, ids: Sequence[str], *, visible: bool, by: UUID | None = None) -> int:
        """Hide messages from viewers, or show them again.

        Args:
            ids: Which; those that nobody knows are left out.
            visible: Whether viewers see them.
            by: The moderator who does it; None for an administrator.

        Returns:
            How many are seen now that were not, or the other way round.

        Raises:
            Forbidden: The moderator may do that with none of them.
        """
        known = [id_ for text in dict.fromkeys(ids) if (id_ := parse_id(text)) is not None]

        def work(transaction: Transaction) -> list[frames.Message]:
            connection = transaction.connection
            found = store.by_ids(connection, known)
            allowed = [message for message in found if by is None or _may_hide(message, by)]
            if found and not allowed:
                raise Forbidden("A moderator may not do that with messages of the server and of other moderators")
            before = {message.id: message.visible for message in allowed}
            store.set_visible(connection, list(before), visible=visible)
            after = store.by_ids(connection, list(before))
            changed = [message for message in after if message.visible != before[message.id]]
            _emit_visibility(transaction, changed, visible=visible)
            return changed

        return await self._changed(work)

    async def _changed(self, work: Callable[[Transaction], list[frames.Message]]) -> int:
        # Committed is committed, also where whoever asked has gone: everybody is told.
        with trio.CancelScope(shield=True):
            changed = await self._storage.write(work)
            for message in changed:
                self._chat.connections.tell(frames.visibility_of(message))
        return len(changed)

    # --- People --------------------------------------------------------------------------------------------------

    async def set_enabled(self, user_id: str, *, enabled: bool, by: UUID | None = None) -> None:
        """Have somebody write, or not: then their messages are seen by nobody, and their connections end.

        Raises:
            BadRequest: Nobody has this id.
            Forbidden: The moderator may not do that with them.
        """

        is_changed = False

        def work(transaction: Transaction) -> list[frames.Message]:
            nonlocal is_changed
            person = _found(transaction, user_id)
            if by is not None and (person.is_moderator or person.user.is_bot):
                raise Forbidden("A moderator may not do that with moderators and bots")
            if (person.disabled_at is None) == enabled:
                return []
            is_changed = True
            store.set_enabled(transaction, person, enabled=enabled)
            self._record(transaction, f"chat_user_{_enabled(enabled)}", by, target=person.user.id)
            _emit_moderated(transaction, person.user, is_enabled=enabled)
            changed = store.shown_by(transaction, UUID(user_id))
            _emit_visibility(transaction, changed, visible=enabled)
            return changed

        await self._changed(work)
        if is_changed:
            self._logbook.info(f"Chat user {user_id} was {_enabled(enabled)}{'' if by is None else f' by {by}'}")

    async def set_moderator(self, user_id: str, *, is_moderator: bool) -> None:
        """Have somebody keep order, or not.

        Raises:
            BadRequest: Nobody has this id; or whoever has it has no token, and could do nothing.
        """

        def work(transaction: Transaction) -> bool:
            person = _found(transaction, user_id)
            if is_moderator and not person.is_registered:
                raise BadRequest("Only who has registered can be a moderator")
            if person.is_moderator == is_moderator:
                return False
            person = store.set_moderator(transaction.connection, person, is_moderator=is_moderator)
            what = "chat_moderator_made" if is_moderator else "chat_moderator_unmade"
            self._record(transaction, what, None, target=person.user.id)
            _emit_moderated(transaction, person.user, is_enabled=person.disabled_at is None)
            return True

        if await self._storage.write(work):
            self._logbook.info(f"Chat user {user_id} is {'a' if is_moderator else 'no'} moderator")

    async def disabled(self) -> list[DisabledUser]:
        """Those who may not write, the newest first."""
        people = await self._storage.read(lambda transaction: store.disabled_people(transaction.connection))
        return [
            DisabledUser(**msgspec.structs.asdict(person.user), disabled_at=person.disabled_at)
            for person in people
            if person.disabled_at is not None
        ]

    async def moderators(self) -> list[ChatUser]:
        """Those who keep order, by name."""
        people = await self._storage.read(lambda transaction: store.moderators(transaction.connection))
        return [person.user for person in people]

    async def details(self, user_id: str) -> UserDetails | None:
        """Somebody, with their connections and their newest messages; None for nobody."""
        known = parse_id(user_id)
        if known is None:
            return None

        def work(transaction: Transaction) -> tuple[store.Person | None, list[frames.Message]]:
            return store.find_person(transaction.connection, known), store.newest_of(transaction.connection, known)

        person, messages = await self._storage.read(work)
        if person is None:
            return None
        return UserDetails(person.user, await self._chat.clients(user_id), messages)

    # --- Addresses -----------------------------------------------------------------------------------------------

    async def banned(self) -> list[BannedAddress]:
        """Addresses that are shut out, the newest first."""
        rows = await self._storage.read(lambda transaction: store.banned(transaction.connection))
        return [BannedAddress(row.address, row.created_at) for row in rows]

    async def ban(self, address: str) -> str:
        """Shut an address or a network out; returns it as lists have it.

        Raises:
            BadRequest: It is neither, or too many are shut out already.
        """
        written = _written(address)

        def work(transaction: Transaction) -> bool:
            there = [row.address for row in store.banned(transaction.connection)]
            if written in there:
                return False
            if len(there) >= store.MOST_BANS:
                raise BadRequest(f"At most {store.MOST_BANS} addresses can be shut out; networks hold many")
            store.ban(transaction, written)
            self._record(transaction, "chat_address_banned", None, detail={"address": written})
            transaction.emit(ChatAddressBanned(address=written, is_banned=True, timestamp=transaction.now))
            return True

        if await self._storage.write(work):
            self._logbook.info(f"The address {written} was shut out of the chat")
        return written

    async def unban(self, address: str) -> str:
        """Let an address or a network in again; returns it as lists had it.

        Raises:
            BadRequest: It is not shut out.
        """
        written = _written(address)

        def work(transaction: Transaction) -> None:
            if not store.unban(transaction.connection, written):
                raise BadRequest("This address is not shut out")
            self._record(transaction, "chat_address_unbanned", None, detail={"address": written})
            transaction.emit(ChatAddressBanned(address=written, is_banned=False, timestamp=transaction.now))

        await self._storage.write(work)
        self._logbook.info(f"The address {written} was let into the chat again")
        return written

    def _record(
        self,
        transaction: Transaction,
        what: str,
        by: UUID | None,
        *,
        target: str = "",
        detail: Mapping[str, str] | None = None,
    ) -> None:
        actor = USER if by is None else str(by)
        self._audit.record(transaction, f"stream.{what}", actor=actor, target=target, detail=detail)


def _enabled(enabled: bool) -> str:
    return "enabled" if enabled else "disabled"


def _found(transaction: Transaction, user_id: str) -> store.Person:
    known = parse_id(user_id)
    person = None if known is None else store.find_person(transaction.connection, known)
    if person is None:
        raise BadRequest("Nobody in the chat has this id")
    return person


def _may_hide(message: frames.Message, by: UUID) -> bool:
    user = message.user
    if user is None or not user.id:
        return False
    return store.MODERATOR not in user.scopes or user.id == str(by)


def _written(address: str) -> str:
    network = read_network(address)
    if network is None:
        raise BadRequest("Expected an IP address, or a network such as 203.0.113.0/24")
    return as_written(network)


def _emit_moderated(transaction: Transaction, user: ChatUser, *, is_enabled: bool) -> None:
    transaction.emit(ChatUserModerated(user=user, is_enabled=is_enabled, timestamp=transaction.now))


def _emit_visibility(transaction: Transaction, changed: Sequence[frames.Message], *, visible: bool) -> None:
    if changed:
        ids = tuple(message.id for message in changed)
        transaction.emit(ChatVisibilityChanged(ids=ids, visible=visible, timestamp=transaction.now))
