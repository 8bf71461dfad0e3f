"""Handing one mail to the mail server: smtplib in a thread, with a deadline for the whole of it."""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from contextlib import suppress
from typing import Any

import trio

from manor.config import Smtp
from manor.errors import ManorError
from manor.mail.composing import Letter, domain_of
from manor.outbox import GiveUp

REPLY_SECONDS = 15.0
"""How long the server may say nothing."""

SEND_SECONDS = 45.0
"""For a whole delivery."""


class MailFailed(ManorError):
    """The mail did not go out; later it may."""


async def send(letter: Letter, smtp: Smtp, *, tls: ssl.SSLContext | None, threads: trio.CapacityLimiter) -> None:
    """Hand a mail to the server.

    Args:
        letter: What is sent.
        smtp: Where to and how.
        tls: For encrypted connections; the system's authorities when not given.
        threads: Bounds how many deliveries run.

    Raises:
        GiveUp: The server refuses this mail for good (5xx about the sender, the recipient or the content).
        MailFailed: It cannot be had, or takes none now. A refused sign-in is one of these: the admin may mend it.
    """
    wire = _Wire()
    with trio.move_on_after(SEND_SECONDS):
        try:
            await trio.to_thread.run_sync(_deliver, letter, smtp, tls, wire, abandon_on_cancel=True, limiter=threads)
        finally:
            # smtplib knows only a time-out for each read: a server that drips would hold its thread for hours.
            wire.cut()
        return
    raise MailFailed(f"{smtp.host}: not done within {SEND_SECONDS:g} s")


class _Wire:
    """The connection in use, to be cut from another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_cut = False

    def use(self, connection: socket.socket | None) -> None:
        with self._lock:
            self._socket = connection
            if self._is_cut:
                self._shut_down()

    def cut(self) -> None:
        with self._lock:
            self._is_cut = True
            self._shut_down()

    def _shut_down(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                # Of the plain socket even when it is a TLS one: that one's own forgets the keys its reader needs.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class _Client(smtplib.SMTP):
    def __init__(self, wire: _Wire, *arguments: Any, **options: Any) -> None:
        self._wire = wire
        super().__init__(*arguments, **options)

    def getreply(self) -> tuple[int, bytes]:
        self._wire.use(self.sock)
        return super().getreply()


class _TlsClient(smtplib.SMTP_SSL):
    def __init__(self, wire: _Wire, *arguments: Any, **options: Any) -> None:
        self._wire = wire
        super().__init__(*arguments, **options)

    def getreply(self) -> tuple[int, bytes]:
        self._wire.use(self.sock)
        return super().getreply()


def _deliver(letter: Letter, smtp: Smtp, tls: ssl.SSLContext | None, wire: _Wire) -> None:
    try:
        client = _connect(letter, smtp, tls, wire)
        try:
            options = ["SMTPUTF8"] if letter.is_international else []
            if options and not client.has_extn("smtputf8"):
                raise GiveUp(f"{smtp.host} takes no addresses beyond ASCII")
            client.sendmail(letter.sender, [letter.recipient], letter.content, mail_options=options)
            # The server has it: what goes wrong now must not have it sent again.
            with suppress(smtplib.SMTPException, OSError):
                client.quit()
        finally:
            client.close()
    except smtplib.SMTPRecipientsRefused as refused:
        code, text = next(iter(refused.recipients.values()))
        raise _judged(smtp, code, text) from refused
    except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as refused:
        raise _judged(smtp, refused.smtp_code, refused.smtp_error) from refused
    except smtplib.SMTPResponseException as error:
        raise MailFailed(_answer(smtp, error.smtp_code, error.smtp_error)) from error
    except (smtplib.SMTPException, OSError, EOFError, ValueError) as error:
        raise MailFailed(f"{smtp.host}: {_line(str(error)) or type(error).__name__}") from error


def _connect(letter: Letter, smtp: Smtp, tls: ssl.SSLContext | None, wire: _Wire) -> smtplib.SMTP:
    # Said in EHLO; smtplib would look our own name up.
    name = domain_of(letter.sender)
    if smtp.security != "none" and tls is None:
        tls = ssl.create_default_context()
    client: smtplib.SMTP
    if smtp.security == "tls":
        client = _TlsClient(wire, smtp.host, smtp.port, name, timeout=REPLY_SECONDS, context=tls)
    else:
        client = _Client(wire, smtp.host, smtp.port, name, timeout=REPLY_SECONDS)
    try:
        client.ehlo_or_helo_if_needed()
        if smtp.security == "starttls":
            client.starttls(context=tls)
            client.ehlo()
        if smtp.username:
            client.login(smtp.username, smtp.password)
    except BaseException:
        client.close()
        raise
    return client


def _judged(smtp: Smtp, code: int, text: bytes | str) -> Exception:
    answer = _answer(smtp, code, text)
    return GiveUp(answer) if 500 <= code < 600 else MailFailed(answer)


def _answer(smtp: Smtp, code: int, text: bytes | str) -> str:
    return f"{smtp.host}: {code} {_line(text)}"


def _line(text: bytes | str) -> str:
    """What a server said, as one line that is fit for a log."""
    if isinstance(text, bytes):
        text = text.decode("ascii", "replace")
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:300]
