"""Mail through a real mail server, and what becomes of it when there is none."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
import trio
from structlog.typing import EventDict
from trio.testing import MockClock

from manor.config import Smtp
from manor.house import House
from manor.logs import Open, blank_secrets
from manor.mail import Mail, MailFailed, MailRefused, Message, sending
from manor.mail.composing import Letter
from manor.outgoing import OutgoingFailed, OutgoingRefused
from manor.storage import Transaction
from manor.testing import open_test_house
from tests.core.mailing import free_port, open_sink, trusting
from tests.core.outboxing import LoopClock, Post, open_post

LINK = "https://manor.example.org/auth/verify-email?token=abc123"
VERIFY = Message(to="ann@example.net", subject="Your address", text="Hello Ann,", kind="verify", link=LINK)


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[EventDict]]:
    with structlog.testing.capture_logs() as entries:
        yield entries


def server(port: int, **given: Any) -> Smtp:
    return Smtp(host="127.0.0.1", port=port, sender="Manor <manor@example.org>", **given)


@dataclass
class Office:
    """An outbox with mail in it."""

    post: Post
    mail: Mail

    async def send(self, message: Message = VERIFY) -> None:
        await self.post.storage.write(lambda transaction: self.mail.send(transaction, message))

    async def sent(self) -> None:
        """Wait until the outbox is empty."""
        await self._until(lambda attempts: attempts == [])

    async def attempts(self, count: int) -> None:
        """Wait until the only mail was tried so often."""
        await self._until(lambda attempts: attempts == [count])

    async def _until(self, is_so: Callable[[list[int]], bool]) -> None:
        """In real time, because the mail server lives in it; this loop's clock stands."""
        attempts: list[int] = []
        for _ in range(2000):
            attempts = [row.attempts for row in await self.post.rows()]
            if is_so(attempts):
                return
            await trio.to_thread.run_sync(time.sleep, 0.005)
        raise AssertionError(f"rows were tried {attempts} times")

    async def links(self, email: str = "", kind: str = "") -> list[tuple[str, str, str, bool]]:
        found = await self.post.storage.read(lambda transaction: self.mail.links(transaction, email, kind))
        return [(link.kind, link.email, link.url, link.is_given_up) for link in found]


@asynccontextmanager
async def open_office(folder: Path, smtp: Smtp, *, is_trusting: bool = True) -> AsyncIterator[Office]:
    async with open_post(folder) as post:
        mail = Mail(smtp, tls=trusting() if is_trusting else None)
        post.outbox.handle("core", mail.jobs)
        yield Office(post, mail)


# --- Through a mail server


async def test_a_mail_arrives_as_it_was_written(mock_clock: MockClock, tmp_path: Path) -> None:
    with open_sink() as sink:
        async with open_office(tmp_path, server(sink.port)) as office, office.post.delivering():
            await office.send()
            await office.sent()

        (mail,) = sink.mails
        plain = mail.get_body(("plain",))
        assert plain is not None
        assert sink.envelopes == [("manor@example.org", ["ann@example.net"])]
        assert (mail["Subject"], plain.get_content().splitlines()) == ("Your address", ["Hello Ann,", "", LINK])
        # Our own name is not looked up for it.
        assert sink.names == ["example.org"]


async def test_a_mail_that_was_sent_leaves_nothing(mock_clock: MockClock, tmp_path: Path) -> None:
    with open_sink() as sink:
        async with open_office(tmp_path, server(sink.port)) as office, office.post.delivering():
            await office.send()
            assert await office.links() == [("verify", "ann@example.net", LINK, False)]
            await office.sent()

            assert (await office.links(), len(sink.mails)) == ([], 1)


async def test_a_rolled_back_transaction_mails_nobody(mock_clock: MockClock, tmp_path: Path) -> None:
    async with open_office(tmp_path, server(1)) as office:

        def work(transaction: Transaction) -> None:
            office.mail.send(transaction, VERIFY)
            raise LookupError("no such person")

        with pytest.raises(LookupError):
            await office.post.storage.write(work)

        assert await office.post.rows() == []


async def test_a_message_with_a_header_in_it_is_refused_before_it_is_written(
    mock_clock: MockClock, tmp_path: Path
) -> None:
    async with open_office(tmp_path, server(1)) as office:
        with pytest.raises(MailRefused):
            await office.send(Message(to="ann@example.net", subject="Hi\r\nBcc: bob@example.net", text=""))

        assert await office.post.rows() == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_the_connection_is_encrypted(mock_clock: MockClock, tmp_path: Path, security: str) -> None:
    with open_sink(tls=security) as sink:
        async with open_office(tmp_path, server(sink.port, security=security)) as office, office.post.delivering():
            await office.send()
            await office.sent()

        assert sink.was_encrypted == [True]


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_of_nobody_is_not_trusted(mock_clock: MockClock, tmp_path: Path, security: str) -> None:
    with open_sink(tls=security) as sink:
        smtp = server(sink.port, security=security)
        async with open_office(tmp_path, smtp, is_trusting=False) as office, office.post.delivering():
            await office.send()
            await office.attempts(1)

            (row,) = await office.post.rows("waiting")
            assert "certificate verify failed" in (row.last_error or "")
        assert sink.asked == 0


async def test_a_server_without_starttls_is_sent_nothing_in_the_clear(mock_clock: MockClock, tmp_path: Path) -> None:
    with open_sink() as sink:
        smtp = server(sink.port, security="starttls", username="manor", password="s3cret")
        async with open_office(tmp_path, smtp) as office, office.post.delivering():
            await office.send()
            await office.attempts(1)

        assert (sink.asked, sink.signed_in) == (0, [])


async def test_it_signs_in(mock_clock: MockClock, tmp_path: Path) -> None:
    with open_sink(tls="starttls", asks_for_sign_in=True) as sink:
        smtp = server(sink.port, security="starttls", username="manor", password="s3cret")
        async with open_office(tmp_path, smtp) as office, office.post.delivering():
            await office.send()
            await office.sent()

        assert (sink.signed_in, len(sink.mails)) == ([(b"manor", b"s3cret")], 1)


async def test_a_wrong_password_is_tried_again_because_the_admin_may_mend_it(
    mock_clock: MockClock, tmp_path: Path
) -> None:
    with open_sink(tls="starttls", asks_for_sign_in=True) as sink:
        smtp = server(sink.port, security="starttls", username="manor", password="wr0ng")
        async with open_office(tmp_path, smtp) as office, office.post.delivering():
            await office.send()
            await office.attempts(1)
            (row,) = await office.post.rows("waiting")
            office.mail.apply(server(sink.port, security="starttls", username="manor", password="s3cret"))
            mock_clock.jump(60)
            await office.sent()

        assert ((row.last_error or "").partition(" 535 ")[1], len(sink.mails)) == (" 535 ", 1)
        assert "wr0ng" not in (row.last_error or "")


async def test_a_name_beyond_ascii_goes_to_a_server_that_takes_it(mock_clock: MockClock, tmp_path: Path) -> None:
    message = Message(to="änn@example.net", subject="Hi", text="Hi")
    with open_sink(international=True) as sink:
        async with open_office(tmp_path, server(sink.port)) as office, office.post.delivering():
            await office.send(message)
            await office.sent()

        assert sink.envelopes == [("manor@example.org", ["änn@example.net"])]


async def test_a_name_beyond_ascii_is_given_up_where_it_is_not_taken(mock_clock: MockClock, tmp_path: Path) -> None:
    with open_sink() as sink:
        async with open_office(tmp_path, server(sink.port)) as office, office.post.delivering():
            await office.send(Message(to="änn@example.net", subject="Hi", text="Hi"))
            await office.attempts(1)

            assert len(await office.post.rows("dead")) == 1
        assert sink.asked == 0


# --- When it does not work


async def test_a_server_that_takes_none_now_is_asked_again_and_given_up_in_the_end(
    mock_clock: MockClock, tmp_path: Path
) -> None:
    with open_sink(refusals=["451 greylisted, come back"] * 9) as sink:
        async with open_office(tmp_path, server(sink.port)) as office, office.post.delivering():
            await office.send()
            for attempts, pause in enumerate((60, 300, 1800, 7200), start=1):
                await office.attempts(attempts)
                (row,) = await office.post.rows("waiting")
                assert row.due_at is not None
                assert (row.due_at - LoopClock().now()).total_seconds() == pause
                mock_clock.jump(pause - 1)
                await trio.testing.wait_all_tasks_blocked()
                assert sink.asked == attempts
                mock_clock.jump(1)
            await office.attempts(5)

            (row,) = await office.post.rows("dead")
            assert (row.last_error or "").endswith("127.0.0.1: 451 greylisted, come back")
            assert await office.links() == [("verify", "ann@example.net", LINK, True)]
        assert sink.asked == 5


async def test_a_recipient_that_does_not_exist_is_given_up_at_once(mock_clock: MockClock, tmp_path: Path) -> None:
    with open_sink(refusals=["550 no such\tuser"]) as sink:
        async with open_office(tmp_path, server(sink.port)) as office, office.post.delivering():
            await office.send()
            await office.attempts(1)

            (row,) = await office.post.rows("dead")
            assert row.last_error == "GiveUp: 127.0.0.1: 550 no such user"
        assert sink.asked == 1


async def test_content_that_the_server_refuses_is_given_up_at_once(mock_clock: MockClock, tmp_path: Path) -> None:
    with open_sink(data_refusal="554 looks like spam") as sink:
        async with open_office(tmp_path, server(sink.port)) as office, office.post.delivering():
            await office.send()
            await office.attempts(1)

            (row,) = await office.post.rows("dead")
            assert row.last_error == "GiveUp: 127.0.0.1: 554 looks like spam"


async def test_a_server_that_is_down_for_a_while_gets_the_mail_once(mock_clock: MockClock, tmp_path: Path) -> None:
    port = free_port()
    async with open_office(tmp_path, server(port)) as office, office.post.delivering():
        await office.send()
        await office.attempts(1)
        mock_clock.jump(60)
        await office.attempts(2)
        with open_sink(port=port) as sink:
            mock_clock.jump(300)
            await office.sent()

            assert [mail["To"] for mail in sink.mails] == ["ann@example.net"]


async def test_a_mail_that_goes_out_twice_can_be_seen_to_be_one(mock_clock: MockClock, tmp_path: Path) -> None:
    with open_sink() as sink:
        async with open_office(tmp_path, server(sink.port)) as office, office.post.delivering():
            await office.send()
            (row,) = await office.post.rows()
            await office.sent()

        # The reference is in the row, so each attempt at it has the same.
        reference = sink.mails[0]["Message-ID"].strip("<>").partition("@")[0]
        assert f'"reference":"{reference}"' in row.payload


async def test_a_server_that_drips_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "SEND_SECONDS", 0.2)
    threads = trio.CapacityLimiter(1)

    async def drip(connection: trio.SocketStream) -> None:
        try:
            while True:
                await connection.send_all(b"2")
                await trio.sleep(0.01)
        except trio.BrokenResourceError:
            pass

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, drip, [listener])
        smtp = server(listener.socket.getsockname()[1])
        letter = Letter("manor@example.org", "ann@example.net", b"", is_international=False)
        with trio.fail_after(5):
            with pytest.raises(MailFailed, match="not done within"):
                await sending.send(letter, smtp, tls=None, threads=threads)
            # Its thread ends too.
            async with threads:
                pass
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"554 go away\r\n", b"2" * 20000 + b"\r\n"])
async def test_what_is_no_mail_server_is_tried_again(said: bytes) -> None:
    async def answer(connection: trio.SocketStream) -> None:
        async with connection:
            await connection.send_all(said)

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, answer, [listener])
        smtp = server(listener.socket.getsockname()[1])
        letter = Letter("manor@example.org", "ann@example.net", b"", is_international=False)
        with trio.fail_after(5), pytest.raises(MailFailed):
            await sending.send(letter, smtp, tls=None, threads=trio.CapacityLimiter(1))
        nursery.cancel_scope.cancel()


# --- Without a mail server


async def test_without_a_mail_server_the_link_is_logged_once_and_kept(
    autojump_clock: MockClock, tmp_path: Path, logged: list[EventDict]
) -> None:
    async with open_office(tmp_path, Smtp()) as office:
        await office.send()
        async with office.post.delivering():
            await trio.sleep(3 * 3600)

        said = [(entry["log_level"], blank_secrets(None, "warning", dict(entry))["event"]) for entry in logged]
        assert said == [("warning", f"auth.link kind=verify email=ann@example.net url={LINK}")]
        assert await office.links() == [("verify", "ann@example.net", LINK, True)]


async def test_links_are_found_by_address_and_kind_newest_first(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_office(tmp_path, Smtp()) as office:
        for to, kind in (("ann@example.net", "verify"), ("bob@example.net", "reset"), ("Ann@Example.net", "reset")):
            await office.send(Message(to=to, subject="Hi", text="Hi", kind=kind, link=LINK))
        await office.send(Message(to="ann@example.net", subject="A notice without a link", text="Hi"))

        assert [(kind, email) for kind, email, *_ in await office.links("ann@example.NET")] == [
            ("reset", "Ann@Example.net"),
            ("verify", "ann@example.net"),
        ]
        assert [email for _, email, *_ in await office.links(kind="reset")] == ["Ann@Example.net", "bob@example.net"]


async def test_a_mail_without_a_link_is_dropped_where_there_is_no_server(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with open_office(tmp_path, Smtp()) as office, office.post.delivering():
        await office.send(Message(to="ann@example.net", subject="Your password was changed", text="Hi"))
        await office.post.empty()

        assert await office.post.rows() == []


def test_the_link_in_the_log_is_not_blanked_and_any_other_is() -> None:
    line = f"auth.link kind=verify email=ann@example.net url={LINK}"

    assert blank_secrets(None, "warning", {"event": Open(line)}) == {"event": line}
    assert "abc123" not in str(blank_secrets(None, "warning", {"event": line}))


# --- In the house


async def test_the_house_mails_for_its_plugins(tmp_path: Path) -> None:
    with open_sink() as sink:
        config = {"server": {"smtp": {"host": "127.0.0.1", "port": sink.port, "from": "Manor <manor@example.org>"}}}
        async with open_test_house(tmp_path, plugins=[], config=config, inline=False) as house:
            await house.storage.write(lambda transaction: house.services.mail.send(transaction, VERIFY))
            with trio.fail_after(10):
                while not sink.mails:  # noqa: ASYNC110 - the mail server's thread does not tell
                    await trio.sleep(0.01)

        assert [mail["To"] for mail in sink.mails] == ["ann@example.net"]


@pytest.mark.manor(plugins=[])
async def test_the_house_says_at_its_start_that_nothing_is_mailed(logged: list[EventDict], house: House) -> None:
    assert [entry["event"] for entry in logged if "mail" in entry["event"]] == [
        "no mail server is configured ([server.smtp] host): links for people are logged instead"
    ]


@pytest.mark.manor(plugins=[], config={"server": {"outgoing": {"allow": ["127.0.0.1:9"]}}})
async def test_the_house_asks_only_where_the_admin_allows(house: House) -> None:
    with pytest.raises(OutgoingFailed):
        await house.services.outgoing.request("GET", "http://127.0.0.1:9/")
    with pytest.raises(OutgoingRefused):
        await house.services.outgoing.request("GET", "http://127.0.0.1:10/")
