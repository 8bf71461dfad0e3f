"""Messages that are mailed to who publishes them: to whom, what the mail says, how many, and what is refused."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
import pytest
import trio

from manor import NewUser, Principal, add_user, new_id
from manor.mail.composing import Mailing, compose
from manor.testing import Client, House, SetClock, open_test_house
from tests.core.mailing import open_sink
from tests.topic_people import asking_as, make_topic, person, texts

SMTP = {"host": "127.0.0.1", "port": 9, "from": "Manor <manor@example.org>"}
WITH_SMTP = {"server": {"smtp": SMTP}}
NAMES = ("X-Email", "X-E-Mail", "Email", "E-Mail", "Mail", "e")

mails_go_out = pytest.mark.manor(config=WITH_SMTP)


@pytest.fixture
async def ann_id(house: House) -> UUID:
    return await person(house, "ann")


@pytest.fixture
async def ann(house: House, ann_id: UUID) -> Client:
    """Somebody with a verified address and a topic."""
    client = asking_as(house, ann_id)
    await make_topic(client)
    return client


async def mails(house: House) -> list[Mailing]:
    """What waits to be sent."""
    outbox = house.services.outbox
    rows = await house.storage.read(lambda transaction: outbox.list(transaction))
    return [msgspec.json.decode(row.payload, type=Mailing) for row in rows if row.name == "core.mail"]


@mails_go_out
@pytest.mark.parametrize("value", ["yes", "True", "1", "ann@example.org", "ANN@example.org"])
@pytest.mark.parametrize("name", NAMES)
async def test_every_name_of_the_header_mails_the_message_to_its_publisher(
    house: House, ann: Client, ann_id: UUID, name: str, value: str
) -> None:
    answer = await ann.post("/alarms", body=b"Disk full", headers={name: value, "Title": "Alarm"})

    assert answer.status == 200, answer.text
    (mail,) = await mails(house)
    assert (mail.to, mail.subject, mail.user_id, mail.link) == ("ann@example.org", "Alarm", ann_id, "")
    assert mail.text == "Disk full\n\n-- \nPublished to the topic alarms."


@mails_go_out
@pytest.mark.parametrize("path", ["/", "/ntfy"])
async def test_a_member_of_json_does_too(house: House, ann: Client, path: str) -> None:
    answer = await ann.post(path, json={"topic": "alarms", "message": "x", "email": "yes"})

    assert answer.status == 200, answer.text
    assert [mail.to for mail in await mails(house)] == ["ann@example.org"]


@mails_go_out
async def test_without_a_title_the_subject_is_the_beginning_of_the_text_on_one_line(house: House, ann: Client) -> None:
    body = "Hello\r\nBcc: eve@example.org\u2028\x85\x00end" + "x" * 300
    assert (await ann.post("/alarms", body=body.encode(), headers={"Email": "yes"})).status == 200

    (mail,) = await mails(house)
    assert mail.subject == ("Hello Bcc: eve@example.org end" + "x" * 300)[:250]


@mails_go_out
@pytest.mark.parametrize("title", ["a\u2028Bcc: eve@example.org", "a\x85b", "=?utf-8?q?a=C2=85b?="])
async def test_a_title_makes_no_header_of_its_own(house: House, ann: Client, title: str) -> None:
    headers = {"Title": title.encode().decode("latin-1"), "Email": "yes"}
    answer = await ann.post("/ntfy/alarms", body=b"x", headers=headers)

    assert answer.status == 200, answer.text
    (mail,) = await mails(house)
    letter = compose(mail, SMTP["from"]).content  # type: ignore[arg-type]  # SMTP has a number, too
    assert letter.count(b"\nBcc:") == 0
    assert mail.subject.isprintable()


@mails_go_out
async def test_a_title_with_a_line_end_is_refused(house: House, ann: Client) -> None:
    answer = await ann.post("/", json={"topic": "alarms", "message": "x", "title": "a\r\nBcc: e@e.org", "email": "yes"})

    assert (answer.status, await mails(house)) == (422, [])


@mails_go_out
@pytest.mark.parametrize(
    "value",
    ["eve@example.org", "no", "0", "ann@example.org, eve@example.org", "ann", "@", "\xff"],
)
@pytest.mark.parametrize("path", ["/alarms", "/ntfy/alarms"])
async def test_nobody_else_is_mailed_to(house: House, ann: Client, path: str, value: str) -> None:
    await person(house, "eve")

    answer = await ann.post(path, body=b"x", headers={"Email": value})

    assert (answer.status, answer.json()["errors"][0]["field"]) == (422, "email")
    assert (await mails(house), await texts(ann)) == ([], [])


@mails_go_out
@pytest.mark.parametrize(
    "email", [5, True, ["ann@example.org"], {"to": "ann@example.org"}, "ann@example.org\r\nBcc: x"]
)
async def test_a_member_that_is_no_address_of_ones_own_is_refused(house: House, ann: Client, email: Any) -> None:
    answer = await ann.post("/", json={"topic": "alarms", "message": "x", "email": email})

    assert (answer.status, answer.json()["code"]) == (422, 40001)
    assert (await mails(house), await texts(ann)) == ([], [])


@mails_go_out
async def test_strangers_and_topics_tokens_are_nobody_to_mail_to(house: House, client: Client) -> None:
    token = Principal("topic_token", credential_id=new_id(), scopes=frozenset({"publish"}))
    for nobody in (client, Client(house.dispatcher, principals=(token,))):
        for value in ("yes", "ann@example.org"):
            answer = await nobody.post("/ntfy/welcome", body=b"x", headers={"Email": value})
            assert answer.status in (403, 422), answer.text
    assert await mails(house) == []


@mails_go_out
@pytest.mark.parametrize("email", ["bob@example.org", None])
async def test_an_address_that_is_not_verified_is_not_mailed_to(house: House, email: str | None) -> None:
    new = NewUser(username="bob", email=email, tier="FREE", is_verified=False, is_bot=email is None)
    bob = await house.storage.write(lambda transaction: add_user(transaction, new))

    for value in ("yes", "bob@example.org"):
        answer = await asking_as(house, bob.id).post("/welcome", body=b"x", headers={"Email": value})
        assert answer.status == 422, answer.text
    assert await mails(house) == []


async def test_without_a_mail_server_nothing_is_mailed_and_nothing_published(house: House, ann: Client) -> None:
    answer = await ann.post("/alarms", body=b"x", headers={"Email": "yes"})

    assert (answer.status, answer.json()["errors"][0]["field"]) == (422, "email")
    assert (await mails(house), await texts(ann)) == ([], [])
    assert (await ann.get("/v1/config")).json()["enable_emails"] is False


@mails_go_out
async def test_what_is_for_later_is_not_mailed(house: House, ann: Client) -> None:
    answer = await ann.post("/alarms", body=b"x", headers={"Email": "yes", "Delay": "1h"})

    assert (answer.status, answer.json()["errors"][0]["field"]) == (422, "email")
    assert await mails(house) == []


@mails_go_out
async def test_a_repeated_request_is_mailed_once(house: House, ann: Client) -> None:
    headers = {"Email": "yes", "Idempotency-Key": "k"}
    first, second = [(await ann.post("/alarms", body=b"x", headers=headers)).json()["id"] for _ in range(2)]

    assert first == second
    assert len(await mails(house)) == 1


@mails_go_out
async def test_ten_an_hour_are_mailed_and_what_is_refused_costs_none(house: House, ann: Client) -> None:
    statuses = []
    for _ in range(10):
        await ann.post("/alarms", body=b"x", headers={"Email": "eve@example.org"})
        statuses.append((await ann.post("/alarms", body=b"x", headers={"Email": "yes"})).status)
    refused = await ann.post("/alarms", body=b"one more", headers={"Email": "yes"})

    assert statuses == [200] * 10
    assert (refused.status, int(refused.headers["retry-after"]) > 0) == (429, True)
    assert (len(await mails(house)), await texts(ann)) == (10, ["x"] * 10)
    assert (await ann.post("/alarms", body=b"without")).status == 200
    eve = asking_as(house, await person(house, "eve"))
    assert (await eve.post("/welcome", body=b"x", headers={"Email": "yes"})).status == 200


@pytest.mark.manor(config={**WITH_SMTP, "plugins": {"topics": {"auto_create": "authenticated"}}})
async def test_the_first_message_of_a_topic_that_it_makes_is_mailed(house: House, ann: Client) -> None:
    assert (await ann.post("/fresh", body=b"x", headers={"Email": "yes"})).status == 200

    assert [mail.text for mail in await mails(house)] == ["x\n\n-- \nPublished to the topic fresh."]


@pytest.mark.manor(config={**WITH_SMTP, "plugins": {"topics": {"compat": {"ntfy": False}}}})
async def test_switched_off_the_header_means_nothing(house: House, ann: Client) -> None:
    assert (await ann.post("/alarms", body=b"x", headers={"Email": "nonsense"})).status == 200
    assert await mails(house) == []


async def test_the_mail_arrives(tmp_path: Any, clock: SetClock) -> None:
    with open_sink() as sink:
        config = {"server": {"smtp": {**SMTP, "port": sink.port}}}
        async with open_test_house(tmp_path, plugins=["topics"], config=config, clock=clock, inline=False) as house:
            ann = asking_as(house, await person(house, "ann"))
            assert (await ann.get("/v1/config")).json()["enable_emails"] is True
            headers = {"Email": "yes", "Title": "Zażółć".encode().decode("latin-1")}
            assert (await ann.post("/welcome", body=b"<b>Hi</b>", headers=headers)).status == 200
            with trio.fail_after(10):
                while not sink.mails:  # noqa: ASYNC110 - the mail server's thread does not tell
                    await trio.sleep(0.01)

    (mail,) = sink.mails
    text, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert page is not None
    assert (mail["To"], mail["Subject"], text.get_content().splitlines()[0]) == (
        "ann@example.org",
        "Zażółć",
        "<b>Hi</b>",
    )
    assert "<b>" not in page.get_content()
