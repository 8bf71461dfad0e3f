"""What a mail looks like: from a few words to the bytes that a mail server takes. Pure."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, parseaddr
from uuid import UUID

import msgspec

from manor.errors import ManorError

_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_IN_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ADDRESS = re.compile(r'[^\s<>(),;:"\[\]\\@]+@[^\s<>(),;:"\[\]\\@]+')
_LINK = re.compile(r"https?://[^\s\"'<>\\]+")

# 7bit: not every server on the way takes bytes above 127.
_PLAIN = SMTP.clone(cte_type="7bit")


class MailRefused(ManorError):
    """No such mail is sent: an address, the subject or the link has something in it that would make another mail."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A mail to one person.

    Args:
        to: Their address, without a name.
        subject: One line.
        text: The plain part; the link is added on a line of its own when it does not stand on one.
        html: The other part; made of `text` when not given. What people wrote is escaped in it by its maker.
        kind: What it is about, such as `verify`, `reset`, `invite`; admins look links up by it.
        link: The single-use link that it brings; without a mail server this is what the admin passes on.
        user_id: Whose mail it is: with the person it goes.
    """

    to: str
    subject: str
    text: str
    html: str = ""
    kind: str = "notice"
    link: str = ""
    user_id: UUID | None = None


class Mailing(Message, frozen=True, kw_only=True):
    """A mail in the outbox.

    Args:
        reference: Makes its Message-ID, the same for each attempt: who gets it twice can see that it is one.
        written_at: Its Date.
    """

    reference: str
    written_at: datetime


@dataclass(frozen=True)
class Letter:
    """A mail as the server takes it.

    Args:
        sender: The envelope's sender.
        recipient: The envelope's recipient.
        content: Headers and parts.
        is_international: The server must know SMTPUTF8 (RFC 6531) to take it.
    """

    sender: str
    recipient: str
    content: bytes
    is_international: bool


def check_message(message: Message) -> None:
    """See that a message is one mail to one person.

    Raises:
        MailRefused: It is not.
    """
    if not _ADDRESS.fullmatch(message.to) or _CONTROL.search(message.to) or len(message.to) > 320:
        raise MailRefused("the recipient is not one address, as somebody@example.org")
    if _CONTROL.search(message.subject):
        raise MailRefused("the subject has line breaks or control characters")
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,49}", message.kind):
        raise MailRefused(f"a kind is one word in small letters, not {message.kind!r}")
    if message.link and (not _LINK.fullmatch(message.link) or _CONTROL.search(message.link)):
        raise MailRefused("the link is not an address as https://manor.example.org/…")


def compose(mailing: Mailing, sender: str) -> Letter:
    """Write the mail out.

    Args:
        mailing: From the outbox.
        sender: As configured: `Manor <manor@example.org>`.

    Raises:
        MailRefused: The sender has no address, or the message is not one mail.
    """
    check_message(mailing)
    address = sender_address(sender)
    recipient = _with_ascii_domain(mailing.to)
    is_international = not (recipient.isascii() and address.isascii())
    mail = EmailMessage(policy=SMTPUTF8 if is_international else _PLAIN)
    mail["From"] = sender
    mail["To"] = recipient
    mail["Subject"] = mailing.subject
    mail["Date"] = format_datetime(mailing.written_at)
    mail["Message-ID"] = f"<{mailing.reference}@{domain_of(address)}>"
    # RFC 3834: holiday notes and the like are not for us.
    mail["Auto-Submitted"] = "auto-generated"
    text = _with_link(mailing.text, mailing.link)
    mail.set_content(text)
    mail.add_alternative(mailing.html or html_of(text, mailing.link), subtype="html")
    return Letter(address, recipient, mail.as_bytes(), is_international)


def sender_address(sender: str) -> str:
    """The address in `Manor <manor@example.org>`.

    Raises:
        MailRefused: There is none.
    """
    _, address = parseaddr(sender)
    if _CONTROL.search(sender) or not _ADDRESS.fullmatch(address):
        raise MailRefused('[server.smtp] from is not an address, as "Manor <manor@example.org>"')
    return _with_ascii_domain(address)


def domain_of(address: str) -> str:
    """What stands behind the @."""
    return address.rpartition("@")[2]


def html_of(text: str, link: str = "") -> str:
    """The plain part as a page without any design: its paragraphs, and the link to click on."""
    paragraphs = []
    for paragraph in re.split(r"\n{2,}", text.strip()):
        escaped = html.escape(paragraph).replace("\n", "<br>\n")
        if link:
            href = html.escape(link)
            escaped = escaped.replace(href, f'<a href="{href}">{href}</a>')
        paragraphs.append(f"<p>{escaped}</p>")
    return (
        '<!doctype html>\n<html><head><meta charset="utf-8"></head><body>\n'
        + "\n".join(paragraphs)
        + "\n</body></html>\n"
    )


def _with_link(text: str, link: str) -> str:
    text = _IN_TEXT.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).rstrip("\n")
    if link and link not in (line.strip() for line in text.split("\n")):
        text += f"\n\n{link}"
    return text + "\n"


def _with_ascii_domain(address: str) -> str:
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError as error:
        raise MailRefused(f"{domain!r} is not the name of a mail domain") from error
