"""Answers as bytes: no header grows a second one."""

from __future__ import annotations

import pytest

from manor.front.replies import render_reply
from manor.routing import Reply
from tests.core.web.serving import Serve, route

NO_NAMES = ["X-A: 1\r\nX-B", "X A", "X-A:", "", "X-\x00"]


@pytest.fixture
def is_fronted() -> bool:
    """The other door's answers are h11's."""
    return True


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_is_no_headers_name_is_not_sent_as_one(name: str) -> None:
    with pytest.raises(ValueError, match="is no header's name"):
        render_reply(Reply(b"", headers={name: "1"}), is_head=False, closes=False)


async def test_a_plugins_header_that_is_none_costs_one_answer(serve: Serve) -> None:
    running = await serve(route("GET", "/odd", lambda request: Reply(b"", headers={NO_NAMES[0]: "1"})))
    client = await running.connect()

    odd = await client.get("/odd")

    assert (odd.status, "x-b" in odd.headers, (await client.get("/hello")).body) == (500, False, b"hello")
