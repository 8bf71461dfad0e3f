"""Somebody who publishes with an API key, to a topic of the server's."""

from __future__ import annotations

import os
from pathlib import Path

import trio

from bench.server import TOPIC
from manor import NewCredential, NewUser, Transaction, add_user, issue
from manor.config import load
from manor.house import open_house
from manor_topics.commands import CreateTopics

KEY = "noti_" + "benchmark".ljust(43, "0")
"""The same in every house, as nothing but the loopback address ever opens one."""

HEADER = f"Authorization: Bearer {KEY}"


def furnish(config: Path) -> None:
    """Make the topic, the person and the key, in a house that is closed."""
    trio.run(_furnish, config)


async def _furnish(config: Path) -> None:
    async with open_house(load(config, os.environ), serve=False) as house:
        await house.commands["topics.create"].run(CreateTopics(names=[TOPIC]))
        await house.storage.write(_add_key)


def _add_key(transaction: Transaction) -> None:
    person = add_user(transaction, NewUser(username="bench", email=None, tier="FREE"))
    issue(transaction, NewCredential(kind="api_key", user_id=person.id, scopes=("publish",)), KEY)
