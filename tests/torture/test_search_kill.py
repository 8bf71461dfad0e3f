"""The daemon is killed while it indexes: the index never knows less, or more, than it says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest
import trio
from sqlalchemy import Connection

from manor import Transaction
from manor.testing import Client, House, open_test_house
from manor_topics.commands import Reindex

pytestmark = pytest.mark.torture

_CHILDREN = """
import gc, os, sys, trio
gc.disable()
from pathlib import Path
from manor.testing import Client, open_test_house
from manor_topics.plugin import Topics
from manor_topics.search.indexing import Indexer

async def main():
    async with open_test_house(Path(sys.argv[1]), plugins=["topics"], inline=False) as house:
        client, indexer = Client(house.dispatcher), Indexer(house.storage)
        print("ready", os.getpid(), flush=True)
        async def publish():
            while True:
                await client.post("/welcome", body=b"some words that will be found again")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(publish)
            while True:
                await indexer.catch_up()

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        trio.run(main)
    _, status = os.waitpid(child, 0)
    print("ended", os.waitstatus_to_exitcode(status), flush=True)
"""
"""What is killed is a child of a process that has imported everything: each would spend a second on that."""


def test_ten_kills_leave_the_index_as_it_would_be_made(tmp_path: Path) -> None:
    random = Random(1)
    command = [sys.executable, "-W", "ignore", "-c", _CHILDREN, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as parent:
        assert parent.stdin is not None
        for _ in range(10):
            parent.stdin.write("another\n")
            child = _told(parent, "ready")
            time.sleep(random.uniform(0.05, 0.4))
            os.kill(child, signal.SIGKILL)
            assert _told(parent, "ended") == -signal.SIGKILL
    trio.run(_check, tmp_path)


def _told(parent: subprocess.Popen[str], word: str) -> int:
    """The number behind a word, which stands between lines of the log."""
    assert parent.stdout is not None
    return next(int(line.split()[1]) for line in parent.stdout if line.startswith(word))


async def _check(folder: Path) -> None:
    async with open_test_house(folder, plugins=["topics"], inline=False) as house:
        search = Client(house.dispatcher)
        found = (await search.get("/api/messages/search?q=found")).json()["total"]
        before = await _indexed(house)
        await house.run_command("topics.reindex", Reindex())
        assert await _indexed(house) == before
        count = "SELECT count(*) FROM topics_messages"
        stored = await house.storage.read(lambda unit: unit.connection.exec_driver_sql(count).scalar_one())
        assert found == stored > 10


async def _indexed(house: House) -> list[object]:
    """Every term with its messages, and the counts beside them."""

    def read(connection: Connection) -> list[object]:
        connection.exec_driver_sql("CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, topics_search, instance)")
        terms = connection.exec_driver_sql("SELECT term, doc FROM temp.words ORDER BY 1, 2").all()
        connection.exec_driver_sql("DROP TABLE temp.words")
        counts = connection.exec_driver_sql("SELECT * FROM topics_search_hours ORDER BY 1, 2, 3").all()
        return [terms, counts]

    def work(transaction: Transaction) -> list[object]:
        return read(transaction.connection)

    return await house.storage.write(work)
