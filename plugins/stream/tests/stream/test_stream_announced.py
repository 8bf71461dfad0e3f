"""A broadcast that begins is told on a topic, as the guide on announcements has it."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import trio

from manor.testing import Client, House, open_test_house
from manor_stream.events import StreamStarted

GUIDE = Path(__file__).parents[4] / "docs" / "howto" / "announcements.md"
STARTED = StreamStarted(
    UUID("01890a5d-ac96-774b-bcce-b302099a8057"),
    "Attic radio",
    "From the attic",
    "Friday night",
    "https://stream.example.org",
    datetime(2030, 1, 2, 12, tzinfo=UTC),
)


@pytest.fixture
def example() -> dict[str, Any]:
    """What the guide says of streams."""
    blocks = re.findall(r"```toml\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    (found,) = [block for block in blocks if "stream.started" in block]
    return tomllib.loads(found)


async def messages_of(house: House) -> Any:
    """What the topic says, asked until there is something."""
    with trio.fail_after(20):
        while True:
            row = await house.storage.read(
                lambda transaction: transaction.connection.exec_driver_sql(
                    "SELECT m.title, m.message, m.tags FROM topics_messages m JOIN topics_topics t ON t.id = m.topic_id"
                    " WHERE t.name = 'live'"
                ).first()
            )
            if row is not None:
                return tuple(row)
            await trio.sleep(0.01)


async def test_a_broadcast_that_begins_is_told_on_a_topic(tmp_path: Path, example: dict[str, Any]) -> None:
    example["plugins"]["stream"] = {"rtmp_bind": ""}
    async with open_test_house(tmp_path, plugins=["auth", "topics", "stream"], config=example) as house:
        await house.storage.write(lambda transaction: transaction.emit(STARTED))

        assert await messages_of(house) == (
            "Attic radio is live",
            "Friday night https://stream.example.org",
            '["movie_camera"]',
        )
        # The topic is the server's own, and private until an administrator opens it.
        assert (await Client(house.dispatcher).get("/live/json")).status in (401, 403)
