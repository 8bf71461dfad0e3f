"""What an admin does from the shell about signing keys, unsent links and invites."""

from __future__ import annotations

from manor import Command, Conflict, NotFound, PluginContext, Transaction, invite_to_server, server_invite_letter
from manor_auth.commands import (
    InvitePerson,
    KeyShown,
    KeysShown,
    LinkListed,
    LinksListed,
    ListLinks,
    PersonInvited,
    RevokeKey,
    RotateKeys,
)
from manor_auth.config import AuthConfig
from manor_auth.keys import KeyRing


class KeyCommands:
    """The commands about keys, about links that wait for somebody to pass them on, and about invites.

    Args:
        context: The plugin's.
        keys: What they change.
    """

    def __init__(self, context: PluginContext[AuthConfig], keys: KeyRing) -> None:
        self._context = context
        self._storage = context.storage
        self._audit = context.audit
        self._mail = context.mail
        self._keys = keys

    def all(self) -> list[Command]:
        """For the hook."""
        return [
            Command("auth.rotate_keys", RotateKeys, self.rotate, returns=KeysShown),
            Command("auth.revoke_key", RevokeKey, self.revoke, returns=KeysShown),
            Command("auth.list_links", ListLinks, self.links, returns=LinksListed),
            Command("auth.invite", InvitePerson, self.invite, returns=PersonInvited),
        ]

    async def rotate(self, arguments: RotateKeys) -> KeysShown:
        """Sign with a new key from here on; what the old ones signed stays good."""
        await self._note("auth.key_rotated", self._keys.rotate().kid)
        return self._shown()

    async def revoke(self, arguments: RevokeKey) -> KeysShown:
        """End a key and all tokens that it signed.

        Raises:
            NotFound: There is no such key.
        """
        if not self._keys.revoke(arguments.kid):
            there_are = ", ".join(key.kid for key in self._keys.all())
            raise NotFound(f"There is no key {arguments.kid!r}; there are {there_are}")
        await self._note("auth.key_revoked", arguments.kid)
        return self._shown()

    async def links(self, arguments: ListLinks) -> LinksListed:
        """The links that were not mailed: an admin may pass them on."""

        def work(transaction: Transaction) -> LinksListed:
            unsent = self._mail.links(transaction, arguments.email or "", arguments.kind or "")
            return LinksListed(
                [LinkListed(link.kind, link.email, link.url, link.created_at, link.is_given_up) for link in unsent]
            )

        return await self._storage.read(work)

    async def invite(self, arguments: InvitePerson) -> PersonInvited:
        """Ask somebody to make an account here; an earlier invite of theirs is void.

        Raises:
            Conflict: They have an account already, or nobody signs up here.
            Unprocessable: 422: the address cannot be one.
        """
        if self._context.identity.config.registration == "closed":
            raise Conflict('This server takes no new people: set identity.registration to "invite" first')
        base = self._context.frontend_url or self._context.link_url

        def work(transaction: Transaction) -> PersonInvited:
            link, token = invite_to_server(transaction, arguments.email)
            letter = server_invite_letter(base, to=link.email, token=token)
            self._mail.send(transaction, letter)
            self._audit.record(transaction, "auth.person_invited", actor="shell", target=str(link.id))
            return PersonInvited(link.email, letter.link, link.expires_at, self._mail.is_configured)

        return await self._storage.write(work)

    async def _note(self, action: str, kid: str) -> None:
        def work(transaction: Transaction) -> None:
            self._audit.record(transaction, action, actor="shell", target=kid)

        await self._storage.write(work)

    def _shown(self) -> KeysShown:
        signs = self._keys.current.kid
        return KeysShown([KeyShown(key.kid, key.created_at, key.kid == signs) for key in self._keys.all()])
