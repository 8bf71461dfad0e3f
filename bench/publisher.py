"""Those who publish: with API keys, in turn, to a topic of the server's."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import tomli_w

from bench import closed_house
from bench.server import TOPIC
from manor import NewCredential, NewUser, Transaction, add_user, issue
from manor.house import House
from manor_topics.commands import CreateTopics

KEYS = [f"noti_{number:043}" for number in range(700)]
"""Of a house that is gone soon."""

_OF_ONE_KEY = 1000
"""Publishes; it may ask 1,200 times a minute."""


def keys_for(publishes: int) -> int:
    """How many keys so many publishes take; more would have the daemon look up strangers all the time."""
    return min(len(KEYS), -(-publishes // _OF_ONE_KEY))


@contextmanager
def furnished(scratch: Path) -> Iterator[Callable[[Path], None]]:
    """Make the topic, a person and the keys once, for as many houses as are measured.

    Args:
        scratch: A directory on the disk that carries them.

    Yields:
        What gives a house all that, while it is closed; told where its configuration is.
    """
    with tempfile.TemporaryDirectory(dir=scratch, prefix="manor-bench-") as folder:
        data = Path(folder) / "data"
        config = Path(folder) / "config.toml"
        config.write_text(tomli_w.dumps({"server": {"data_dir": str(data)}}))
        closed_house.furnish(config, _furnish)

        def furnish(other: Path) -> None:
            shutil.copytree(data, other.with_name("data"))

        yield furnish


async def _furnish(house: House) -> None:
    await house.commands["topics.create"].run(CreateTopics(names=[TOPIC]))
    await house.storage.write(_add_keys)


def _add_keys(transaction: Transaction) -> None:
    person = add_user(transaction, NewUser(username="bench", email=None, tier="FREE"))
    for key in KEYS:
        issue(transaction, NewCredential(kind="api_key", user_id=person.id, scopes=("publish",)), key)
