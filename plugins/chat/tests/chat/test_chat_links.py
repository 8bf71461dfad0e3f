"""What posts show of the links in them: looked at once, after the post, and by its own rules."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import trio.testing
from sqlalchemy import select
from trio.testing import MockClock

from manor import Event, Transaction
from manor.testing import SetClock
from manor_chat.domain.image_links import image_links
from manor_chat.events import Told
from manor_chat.tables.links import links
from tests.chat_files import animation, channel_of, picture
from tests.chat_integrations import incoming, posted_to
from tests.chat_live import listening
from tests.chat_people import API, Chatter, Crew
from tests.core.outgoing_servers import open_server, plain

OPEN = {"server": {"outgoing": {"allow": ["127.0.0.1"]}}}
HTML = "Content-Type: text/html\r\n"
PAGE = b"""<meta property="og:title" content="News"><meta property="og:image" content="/a.png">
<meta property="og:image:width" content="30"><meta property="og:image:height" content="20">"""


async def written(crew: Crew, who: Chatter, message: str, **more: Any) -> dict[str, Any]:
    body = {"channel_id": channel_of(crew), "message": message, **more}
    answer = await who.client.post(f"{API}/posts", json=body)
    assert answer.status == 201, answer.text
    post: dict[str, Any] = answer.json()
    return post


async def known(crew: Crew) -> list[str]:
    def work(transaction: Transaction) -> list[str]:
        return list(transaction.connection.execute(select(links.c.kind).order_by(links.c.kind)).scalars())

    return await crew.house.storage.read(work)


async def metadata_of(crew: Crew, post: dict[str, Any], *, once_known: int) -> dict[str, Any]:
    """A post's metadata once so much is known of links."""
    with trio.fail_after(10):
        while len(await known(crew)) < once_known:  # noqa: ASYNC110 - it is stored, and nobody is told
            await trio.sleep(0.01)
    answer = await crew.bob.client.get(f"{API}/posts/{post['id']}")
    metadata: dict[str, Any] = answer.json()["metadata"]
    return metadata


@pytest.mark.manor(config=OPEN)
async def test_a_page_is_shown_with_what_it_says_of_itself(crew: Crew) -> None:
    async with open_server(plain(PAGE, headers=HTML)) as server:
        post = await written(crew, crew.ann, f"read {server.url}/news.")
        assert post["metadata"] == {"embeds": [{"type": "link", "url": f"{server.url}/news"}]}

        metadata = await metadata_of(crew, post, once_known=1)

        (embed,) = metadata["embeds"]
        assert (embed["type"], embed["url"], embed["data"]["title"]) == ("opengraph", f"{server.url}/news", "News")
        size = {"width": 30, "height": 20, "format": "", "frame_count": 0}
        assert metadata["images"] == {f"{server.url}/a.png": size}
        again = await written(crew, crew.bob, f"{server.url}/news")
        assert again["metadata"] == metadata
        assert server.connections == 1


@pytest.mark.manor(config=OPEN)
async def test_whoever_looks_already_is_told_what_a_link_leads_to(crew: Crew) -> None:
    hook = await incoming(crew, channel_of(crew))
    async with (
        open_server(plain(PAGE, headers=HTML), plain(picture((30, 20)))) as server,
        listening(crew.bob.client) as ear,
    ):
        await posted_to(crew.house, f"/hooks/{hook['id']}", {"text": f"read {server.url}/news"})
        posted = json.loads((await ear.event("posted"))["data"]["post"])
        assert posted["metadata"]["embeds"] == [{"type": "link", "url": f"{server.url}/news"}]

        told = await ear.event("post_edited")

        edited = json.loads(told["data"]["post"])
        assert (edited["id"], edited["message"], edited["edit_at"]) == (posted["id"], posted["message"], 0)
        assert edited["update_at"] > posted["update_at"]
        assert told["broadcast"]["channel_id"] == channel_of(crew)
        (embed,) = edited["metadata"]["embeds"]
        assert (embed["type"], embed["data"]["title"]) == ("opengraph", "News")
        assert (await crew.bob.client.get(f"{API}/posts/{posted['id']}")).json()["metadata"] == edited["metadata"]

        # What is known at once is told at once, and once.
        await written(crew, crew.ann, f"again {server.url}/news")
        again = json.loads((await ear.event("posted"))["data"]["post"])
        assert again["metadata"] == edited["metadata"]
        await trio.testing.wait_all_tasks_blocked()
        assert await ear.is_quiet()


@pytest.mark.manor(config=OPEN)
async def test_what_was_deleted_or_said_otherwise_meanwhile_is_not_told_again(crew: Crew, heard: list[Event]) -> None:
    async with open_server(plain(PAGE, headers=HTML)) as server:
        gone = await written(crew, crew.ann, f"read {server.url}/news")
        await crew.ann.client.delete(f"{API}/posts/{gone['id']}")

        with trio.fail_after(10):
            while not await known(crew):  # noqa: ASYNC110 - it is stored, and nobody is told
                await trio.sleep(0.01)
        await trio.testing.wait_all_tasks_blocked()

        assert "post_edited" not in [event.event for event in heard if isinstance(event, Told)]


@pytest.mark.manor(config=OPEN)
async def test_pictures_are_shown_with_their_sizes(crew: Crew) -> None:
    async with open_server(plain(picture((30, 20))), plain(animation((40, 10), 3))) as server:
        still, moving = f"{server.url}/a.png", f"{server.url}/b.gif"
        post = await written(crew, crew.ann, f"{still} and ![that]({moving}) and `![no]({server.url}/c.png)`")

        metadata = await metadata_of(crew, post, once_known=2)

        assert metadata["embeds"] == [{"type": "image", "url": still}]
        assert metadata["images"] == {
            still: {"width": 30, "height": 20, "format": "png", "frame_count": 0},
            moving: {"width": 40, "height": 10, "format": "gif", "frame_count": 3},
        }
        assert server.connections == 2


@pytest.mark.manor(config=OPEN)
async def test_what_is_neither_page_nor_picture_stays_a_link(crew: Crew) -> None:
    async with open_server(plain(b"<svg onload=alert(1)>", headers="Content-Type: image/svg+xml\r\n")) as server:
        post = await written(crew, crew.ann, server.url)

        assert await metadata_of(crew, post, once_known=1) == {"embeds": [{"type": "link", "url": server.url}]}
        assert await known(crew) == ["none"]


async def test_nothing_private_is_looked_at(crew: Crew) -> None:
    async with open_server(plain(PAGE, headers=HTML)) as server:
        post = await written(crew, crew.ann, server.url)

        assert (await metadata_of(crew, post, once_known=1))["embeds"][0]["type"] == "link"
        assert server.connections == 0


@pytest.mark.manor(config={**OPEN, "plugins": {"chat": {"link_previews": False}}})
async def test_nobody_looks_where_that_is_switched_off(crew: Crew, autojump_clock: MockClock) -> None:
    async with open_server(plain(PAGE, headers=HTML)) as server:
        await written(crew, crew.ann, server.url)
        await trio.sleep(60)

        assert (await known(crew), server.connections) == ([], 0)


@pytest.mark.manor(config=OPEN)
async def test_what_a_link_led_to_is_forgotten_some_day(crew: Crew, clock: SetClock, autojump_clock: MockClock) -> None:
    await written(crew, crew.ann, "http://127.0.0.1:1/")
    await trio.sleep(60)
    assert await known(crew) == ["none"]

    clock.set(clock.now() + timedelta(days=91))
    await trio.sleep(4000)

    assert await known(crew) == []


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ("![a](https://x.test/a.png)", ["https://x.test/a.png"]),
        ('![](HTTP://x.test/a "title") ![b](<https://x.test/b>)', ["HTTP://x.test/a", "https://x.test/b"]),
        ("[a](https://x.test) ![a](/local) ![a](javascript:x) ![a] (https://x.test)", []),
        ("`![a](https://x.test/a)`\n```\n![a](https://x.test/a)\n```", []),
        ("![a](https://x.test/a)" * 3, ["https://x.test/a"]),
    ],
)
def test_pictures_are_found_by_their_markdown(message: str, found: list[str]) -> None:
    assert image_links(message) == found


def test_a_message_names_no_more_pictures_than_are_looked_at() -> None:
    assert len(image_links(" ".join(f"![a](https://x.test/{number})" for number in range(50)))) == 10
    assert image_links("![" * 8000) == []
