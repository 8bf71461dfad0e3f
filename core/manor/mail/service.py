"""Mail as plugins and admins see it."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import structlog
import trio
from sqlalchemy import select

from manor.config import Smtp
from manor.logs import Open
from manor.mail.composing import Mailing, MailRefused, Message, check_message, compose
from manor.mail.sending import SEND_SECONDS, send
from manor.outbox import GiveUp, Job, JobHandler, Kept
from manor.outbox.store import outbox
from manor.storage import Transaction, new_id

MAIL = Job("core.mail", Mailing, deadline=SEND_SECONDS + 15, pauses=(60.0, 300.0, 1800.0, 7200.0))
"""One mail. Tried at once and after 1 min, 5 min, 30 min and 2 h; then it is a dead letter."""

MOST_AT_ONCE = 4
"""Deliveries that run at the same time."""

LONGEST_KEPT = timedelta(days=7)
"""Mails that did not go out: the longest-lived of their links are void by then."""

log = structlog.get_logger("manor.mail")


class UnsentLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link whose mail has not gone out.

    Args:
        kind: As its message says: `verify`, `reset`, `invite` …
        email: Who was to get it.
        url: The link.
        user_id: Whose mail it is; None for people who have no account yet.
        created_at: When it was written.
        is_given_up: Whether nobody will try again.
    """

    kind: str
    email: str
    url: str
    user_id: UUID | None
    created_at: datetime
    is_given_up: bool


class Mail:
    """Sends mail from the outbox; without a mail server it shows the admin the links.

    Args:
        smtp: The mail server, if there is one; `apply` takes another one while mail is sent.
        tls: For encrypted connections; the system's authorities when not given.
    """

    def __init__(self, smtp: Smtp, *, tls: ssl.SSLContext | None = None) -> None:
        self._smtp = smtp
        self._tls = tls
        self._threads = trio.CapacityLimiter(MOST_AT_ONCE)

    @property
    def is_configured(self) -> bool:
        """Whether there is a mail server."""
        return bool(self._smtp.host)

    def apply(self, smtp: Smtp) -> None:
        """Use this mail server from now on, also for what waits."""
        self._smtp = smtp

    @property
    def jobs(self) -> list[JobHandler[Any]]:
        """For the outbox."""
        return [JobHandler(MAIL, self._post)]

    def announce(self) -> None:
        """Say at the start what will not happen."""
        if not self.is_configured:
            log.warning("no mail server is configured ([server.smtp] host): links for people are logged instead")

    def send(self, transaction: Transaction, message: Message) -> None:
        """Have a mail sent once this transaction is committed. An outage of the mail server is nobody's failure.

        Args:
            transaction: A writing one.
            message: To whom and what.

        Raises:
            MailRefused: It is not one mail to one person: somebody's words would change its headers.
        """
        check_message(message)
        fields = {name: getattr(message, name) for name in Message.__struct_fields__}
        mailing = Mailing(**fields, reference=new_id().hex, written_at=transaction.now)
        transaction.defer(MAIL, mailing)

    def links(self, transaction: Transaction, email: str = "", kind: str = "") -> Sequence[UnsentLink]:
        """The links whose mails wait or were given up, newest first.

        Args:
            transaction: A reading one will do.
            email: Only those for this address, whatever its case.
            kind: Only those of this kind.
        """
        columns = outbox.c.payload, outbox.c.state, outbox.c.created_at
        rows = transaction.connection.execute(
            select(*columns).where(outbox.c.name == MAIL.name).order_by(outbox.c.id.desc())
        )
        found = []
        for payload, state, created_at in rows:
            try:
                mailing = msgspec.json.decode(payload, type=Mailing)
            except msgspec.ValidationError:
                continue
            if not mailing.link or kind not in ("", mailing.kind):
                continue
            if email and mailing.to.casefold() != email.casefold():
                continue
            link = UnsentLink(
                kind=mailing.kind,
                email=mailing.to,
                url=mailing.link,
                user_id=mailing.user_id,
                created_at=created_at,
                is_given_up=state == "dead",
            )
            found.append(link)
        return found

    async def _post(self, mailing: Mailing) -> None:
        if not self.is_configured:
            self._keep(mailing)
            return
        try:
            letter = compose(mailing, self._smtp.sender)
        except MailRefused as refused:
            raise GiveUp(str(refused)) from refused
        await send(letter, self._smtp, tls=self._tls, threads=self._threads)

    def _keep(self, mailing: Mailing) -> None:
        """Show the admin the link, and leave it in the outbox for `links`; mail without one has nothing to keep."""
        if not mailing.link:
            log.info("no mail server is configured: a mail was not sent", kind=mailing.kind)
            return
        # One text, not pairs: so that a search finds it in every format that the log may have.
        log.warning(Open(f"auth.link kind={mailing.kind} email={mailing.to} url={mailing.link}"))
        raise Kept("no mail server is configured")
