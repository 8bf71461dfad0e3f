"""What a mail looks like, and which are none."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manor.mail import Mailing, MailRefused, Message
from manor.mail.composing import check_message, compose, html_of

SENDER = "Manor <manor@example.org>"
LINK = "https://manor.example.org/auth/verify-email?token=a-b_c&x=1"


def mailing(**given: Any) -> Mailing:
    fields: dict[str, Any] = {
        "to": "ann@example.net",
        "subject": "Hello",
        "text": "Hello Ann,\n\nwelcome.",
        "reference": "0123abcd",
        "written_at": datetime(2030, 1, 2, 12, tzinfo=UTC),
    }
    return Mailing(**(fields | given))


def read(content: bytes) -> EmailMessage:
    mail = message_from_bytes(content, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def part(mail: EmailMessage, kind: str) -> str:
    found = mail.get_body((kind,))
    assert found is not None
    text = found.get_content()
    assert isinstance(text, str)
    return text.replace("\r\n", "\n")


def test_a_mail_says_who_when_and_which() -> None:
    letter = compose(mailing(subject="Grüße"), SENDER)
    mail = read(letter.content)

    assert (letter.sender, letter.recipient) == ("manor@example.org", "ann@example.net")
    assert {name: str(mail[name]) for name in ("From", "To", "Subject", "Message-ID", "Auto-Submitted")} == {
        "From": SENDER,
        "To": "ann@example.net",
        "Subject": "Grüße",
        "Message-ID": "<0123abcd@example.org>",
        "Auto-Submitted": "auto-generated",
    }
    assert mail["Date"].datetime == datetime(2030, 1, 2, 12, tzinfo=UTC)


def test_a_mail_has_a_plain_and_an_html_part() -> None:
    mail = read(compose(mailing(html="<p>Hello <b>Ann</b></p>"), SENDER).content)

    assert mail.get_content_type() == "multipart/alternative"
    assert part(mail, "plain") == "Hello Ann,\n\nwelcome.\n"
    assert part(mail, "html").strip() == "<p>Hello <b>Ann</b></p>"


def test_a_link_stands_on_a_line_of_its_own_once() -> None:
    without = read(compose(mailing(link=LINK), SENDER).content)
    with_it = read(compose(mailing(text=f"Click:\n\n{LINK}\n\nBye", link=LINK), SENDER).content)

    assert part(without, "plain") == f"Hello Ann,\n\nwelcome.\n\n{LINK}\n"
    assert part(with_it, "plain") == f"Click:\n\n{LINK}\n\nBye\n"


def test_the_html_part_is_made_of_the_text_and_escapes_it() -> None:
    page = html_of(f"Hello <script>alert(1)</script>,\nyes\n\n{LINK}", LINK)

    assert "<p>Hello &lt;script&gt;alert(1)&lt;/script&gt;,<br>\nyes</p>" in page
    assert '<a href="https://manor.example.org/auth/verify-email?token=a-b_c&amp;x=1">' in page


def test_a_domain_beyond_ascii_is_written_in_ascii() -> None:
    letter = compose(mailing(to="ann@bücher.example"), SENDER)

    assert (letter.recipient, letter.is_international) == ("ann@xn--bcher-kva.example", False)


def test_a_name_beyond_ascii_needs_a_server_that_takes_it() -> None:
    letter = compose(mailing(to="änn@example.net"), SENDER)

    assert (letter.recipient, letter.is_international) == ("änn@example.net", True)
    assert "To: änn@example.net\r\n".encode() in letter.content


@pytest.mark.parametrize(
    "given",
    [
        {"to": "ann@example.net\r\nBcc: all@example.net"},
        {"to": "ann@example.net\n"},
        {"to": "ann@example.net, bob@example.net"},
        {"to": "ann@example.net bob@example.net"},
        {"to": "Ann <ann@example.net>"},
        {"to": "ann@example.net>\r\nRCPT TO:<bob@example.net"},
        {"to": "ann"},
        {"to": ""},
        {"to": "@example.net"},
        {"to": "a" * 330 + "@example.net"},
        {"subject": "Hello\r\nBcc: all@example.net"},
        {"subject": "Hello\nBcc: all@example.net"},
        {"subject": "Hello\rBcc: all@example.net"},
        {"subject": "Hello\u2028Bcc: all@example.net"},
        {"subject": "Hello\x85Bcc: all@example.net"},
        {"subject": "Hello\x00"},
        {"kind": "verify email=evil"},
        {"kind": ""},
        {"link": "https://a.example/\r\nauth.link kind=verify"},
        {"link": "https://a.example/ b"},
        {"link": "javascript:alert(1)"},
    ],
    ids=repr,
)
def test_what_would_make_another_mail_is_refused(given: dict[str, str]) -> None:
    fields: dict[str, Any] = {"to": "ann@example.net", "subject": "Hello", "text": "Hello", **given}

    with pytest.raises(MailRefused):
        check_message(Message(**fields))


@pytest.mark.parametrize("sender", ["", "Manor", "Manor <manor>", "Manor\r\nBcc: x@example.org <manor@example.org>"])
def test_a_sender_without_an_address_is_refused(sender: str) -> None:
    with pytest.raises(MailRefused):
        compose(mailing(), sender)


@given(subject=st.text(max_size=200), text=st.text(max_size=2000))
def test_no_words_make_a_header_or_another_part(subject: str, text: str) -> None:
    try:
        letter = compose(mailing(subject=subject, text=text, link=LINK), SENDER)
    except MailRefused:
        return
    mail = read(letter.content)

    assert sorted(mail.keys()) == [
        "Auto-Submitted",
        "Content-Type",
        "Date",
        "From",
        "MIME-Version",
        "Message-ID",
        "Subject",
        "To",
    ]
    assert [each.get_content_type() for each in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert max(len(line) for line in letter.content.split(b"\r\n")) <= 998
    assert letter.content.isascii()
