"""A mail server for tests: a real one, on a thread of its own, that keeps what it is given."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

DEADLINE = 60.0
"""Seconds that a mail may take on a busy machine; a good run waits for none of them."""

CERTIFICATES = Path(__file__).parent / "web" / "certificates"


class Sink:
    """What a mail server is told, and what it says: `refusals` in turn to recipients, then it takes everything."""

    def __init__(self, port: int, refusals: Sequence[str], data_refusal: str) -> None:
        self.port = port
        self.refusals = list(refusals)
        self.data_refusal = data_refusal
        self.asked = 0
        self.signed_in: list[tuple[bytes, bytes]] = []
        self.was_encrypted: list[bool] = []
        self.names: list[str] = []
        self._envelopes: list[Envelope] = []
        self._lock = threading.Condition()

    @property
    def mails(self) -> list[EmailMessage]:
        """What arrived, read anew."""
        with self._lock:
            contents = [envelope.content for envelope in self._envelopes]
        return [_read(content) for content in contents]

    def wait_for(self, to: str, *, after: int = 0) -> EmailMessage:
        """The mail to somebody, once it has come; `after` so many others. For tests whose house is another process."""

        def found() -> list[Envelope]:
            return [envelope for envelope in self._envelopes if to in envelope.rcpt_tos][after:]

        with self._lock:
            assert self._lock.wait_for(found, DEADLINE), f"no mail to {to}"
            return _read(found()[0].content)

    @property
    def contents(self) -> list[bytes]:
        """What arrived, byte by byte."""
        with self._lock:
            return [envelope.content for envelope in self._envelopes if isinstance(envelope.content, bytes)]

    @property
    def envelopes(self) -> list[tuple[str | None, list[str]]]:
        """Sender and recipients of what arrived."""
        with self._lock:
            return [(envelope.mail_from, list(envelope.rcpt_tos)) for envelope in self._envelopes]

    def sign_in(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
        assert isinstance(given, LoginPassword)
        self.signed_in.append((given.login, given.password))
        return AuthResult(success=given.password == b"s3cret", handled=False)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd finds it by this name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.asked += 1
        self.names.append(str(session.host_name))
        if self.refusals:
            return self.refusals.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 fine"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.data_refusal:
            return self.data_refusal
        assert server.transport is not None
        with self._lock:
            self._envelopes.append(envelope)
            self._lock.notify_all()
            self.was_encrypted.append(server.transport.get_extra_info("ssl_object") is not None)
        return "250 queued"


def _read(content: bytes | str | None) -> EmailMessage:
    assert isinstance(content, bytes)
    mail = message_from_bytes(content, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port


@contextmanager
def open_sink(
    *,
    port: int = 0,
    refusals: Sequence[str] = (),
    data_refusal: str = "",
    tls: str = "none",
    asks_for_sign_in: bool = False,
    international: bool = False,
) -> Iterator[Sink]:
    """A mail server on loopback.

    Args:
        port: Where; a free one when not given.
        refusals: What it answers to the first recipients.
        data_refusal: What it answers to every mail's content.
        tls: As in `[server.smtp] security`.
        asks_for_sign_in: Whether it takes nothing from strangers, and from nobody without STARTTLS; the password is
            s3cret.
        international: Whether it knows SMTPUTF8.
    """
    sink = Sink(port or free_port(), refusals, data_refusal)
    options: dict[str, Any] = {"enable_SMTPUTF8": international}
    if tls != "none":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(CERTIFICATES / "first.cert.pem", CERTIFICATES / "first.key.pem")
        options["ssl_context" if tls == "tls" else "tls_context"] = context
    if asks_for_sign_in:
        options |= {"auth_required": True, "authenticator": sink.sign_in}
    controller = Controller(sink, hostname="127.0.0.1", port=sink.port, **options)
    controller.start()
    try:
        yield sink
    finally:
        controller.stop()


def trusting() -> ssl.SSLContext:
    """A client's context for which the tests' certificate is good."""
    return ssl.create_default_context(cafile=str(CERTIFICATES / "first.cert.pem"))
