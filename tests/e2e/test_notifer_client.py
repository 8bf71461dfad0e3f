"""Notifer's own command, `notifer`, as people have it: every one of its commands against a real port."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.e2e.clients import ask
from tests.e2e.daemon import DEADLINE, Daemon, Running

PASSWORD = "a fine long passphrase"

JSON = "Content-Type: application/json"

NOTIFER = (sys.executable, "-c", "import gc; gc.disable(); from notifer_cli.cli import cli; cli()")


class Notifer:
    """The command, with a home of its own.

    Args:
        home: Holds its configuration.
        url: Of the server.
    """

    def __init__(self, home: Path, url: str) -> None:
        self.home = home
        self._url = url
        self._listening: list[Running] = []

    def knows(self, **members: Any) -> None:
        """Write its configuration; a server has no command."""
        # It is YAML, of which JSON is a part.
        (self.home / ".notifer.yaml").write_text(json.dumps({"server": self._url} | members))

    def run(self, *arguments: str, answer: str = "") -> str:
        """Run it to its end, which has to be a good one; returns what it said, in one line."""
        done = self._done(*arguments, answer=answer)
        assert done.returncode == 0, done.stdout + done.stderr
        return " ".join(done.stdout.split())

    def fail(self, *arguments: str, answer: str = "") -> str:
        """Run it, and see it fail; returns what it said."""
        done = self._done(*arguments, answer=answer)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return " ".join(done.stdout.split())

    def listen(self, *arguments: str) -> Running:
        """Have it listen; once it is heard by the server it says so."""
        process = subprocess.Popen(
            [*NOTIFER, "subscribe", *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._listening.append(Running(process))
        return self._listening[-1]

    def close(self) -> None:
        for running in self._listening:
            running.kill()

    @property
    def _environment(self) -> dict[str, str]:
        # Wide, so that no line of a table is broken where a test looks; unbuffered, because it listens into a pipe.
        ours = {"HOME": str(self.home), "COLUMNS": "400", "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}
        return dict(os.environ) | ours

    def _done(self, *arguments: str, answer: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*NOTIFER, *arguments],
            env=self._environment,
            input=answer,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A running daemon that knows Ada; tests tell each other's topics apart by name."""
    tables = {"server": {"limits": {"address_limit_factor": 0}}, "identity": {"require_verification": False}}
    daemon = Daemon(tmp_path_factory.mktemp("notifer"), tables)
    daemon.start()
    try:
        added = daemon.manor(
            "user", "add", "ada@example.org", "--username", "ada", "--password-stdin", stdin=f"{PASSWORD}\n"
        )
        assert added.returncode == 0, added.stderr
        yield daemon
        assert daemon.stop() == 0
    finally:
        daemon.kill()


@pytest.fixture
def notifer(daemon: Daemon, tmp_path: Path) -> Iterator[Notifer]:
    home = tmp_path / "home"
    home.mkdir()
    notifer = Notifer(home, daemon.url)
    yield notifer
    notifer.close()


async def sign_in(daemon: Daemon) -> list[str]:
    """Headers of a session of Ada's."""
    body = msgspec.json.encode({"email": "ada@example.org", "password": PASSWORD})
    signed_in = await ask(daemon.port, "POST", "/auth/login", body, [JSON])
    assert signed_in.status == 200, signed_in.body
    return [f"Authorization: Bearer {signed_in.json['access_token']}"]


async def with_key(daemon: Daemon, notifer: Notifer) -> list[str]:
    """Give the command a key that may do everything; returns headers of who made it."""
    session = await sign_in(daemon)
    made = await ask(daemon.port, "POST", "/api/keys", b'{"name":"laptop","scopes":["*"]}', [*session, JSON])
    notifer.knows(api_key=made.json["key"])
    return session


async def test_topics_are_made_listed_shown_and_deleted_by_it(daemon: Daemon, notifer: Notifer) -> None:
    await with_key(daemon, notifer)

    made = notifer.run("topics", "create", "attic", "-d", "Strych: zażółć gęślą")
    hidden = notifer.run("topics", "create", "shed", "--private")

    assert "Topic created: attic" in made
    assert "Access: public" in made
    assert "Discoverable: True" in made
    assert "Access: private" in hidden, "it asks for a discoverable one all the same"
    assert "Discoverable: False" in hidden
    assert "409 Client Error" in notifer.fail("topics", "create", "attic", "-d", "Again")
    assert "422 Client Error" in notifer.fail("topics", "create", "garden"), "public ones need a description"
    assert all(name in notifer.run("topics", "list") for name in ("attic", "shed", "welcome", "zażółć gęślą"))
    mine = notifer.run("topics", "list", "--mine", "-l", "5")
    assert "attic" in mine
    assert "welcome" not in mine
    shown = notifer.run("topics", "get", "attic")
    assert "Description: Strych: zażółć gęślą" in re.sub(r"[│ ]+", " ", shown)
    assert "404 Client Error" in notifer.fail("topics", "get", "garden")

    id_ = re.search(r"ID: (\S+)", made)
    assert id_
    assert "Cancelled" in notifer.run("topics", "delete", id_[1], answer="n\n")
    assert "Topic deleted" in notifer.run("topics", "delete", id_[1], answer="y\n")
    assert "404 Client Error" in notifer.fail("topics", "delete", id_[1], answer="y\n")


async def test_messages_are_published_by_it_with_a_key_and_with_a_topics_token(
    daemon: Daemon, notifer: Notifer
) -> None:
    session = await with_key(daemon, notifer)
    notifer.run("topics", "create", "cellar", "--private")
    wanted = b'{"name":"pump","permissions":["write"]}'
    token = (await ask(daemon.port, "POST", "/api/topics/cellar/access-tokens", wanted, [*session, JSON])).json["token"]

    first = notifer.run("publish", "cellar", "Woda: pół metra 🎉", "-t", "Piwnica żółta", "-p", "1", "--tags", "a,ż")
    notifer.run("publish", "cellar", "both", "--topic-token", token)
    notifer.knows()
    notifer.run("publish", "cellar", "the token alone", "--topic-token", token)

    assert "Message published to cellar" in first
    assert "Priority: 1" in first
    history = (await ask(daemon.port, "GET", "/cellar/json", headers=session)).json["messages"]
    assert [message["message"] for message in history] == ["the token alone", "both", "Woda: pół metra 🎉"]
    assert [history[2][name] for name in ("title", "priority", "tags")] == ["Piwnica żółta", 1, ["a", "ż"]]
    assert "There is no topic 'garden'" in notifer.fail("publish", "garden", "x", "--topic-token", token)
    assert "message is empty" in notifer.fail("publish", "cellar", "", "--topic-token", token)
    assert "does not open" in notifer.fail("publish", "welcome", "x", "--topic-token", token)


async def test_messages_are_heard_by_it_old_ones_and_new_ones(daemon: Daemon, notifer: Notifer) -> None:
    session = await with_key(daemon, notifer)
    notifer.run("topics", "create", "loft", "--private")
    wanted = b'{"name":"screen","permissions":["read"]}'
    token = (await ask(daemon.port, "POST", "/api/topics/loft/access-tokens", wanted, [*session, JSON])).json["token"]
    await ask(daemon.port, "POST", "/loft", "first", session)
    old = (await ask(daemon.port, "POST", "/loft", "old: zażółć", session)).json
    saved = notifer.home / "saved.jsonl"

    shown = notifer.listen("loft", "-o", str(saved))
    printed = notifer.listen("loft,welcome", "--json", "--since", old["timestamp"])
    replayed = notifer.listen("loft", "--json", "--topic-token", token, "--since", "10m")
    for listener in (shown, printed, replayed):
        listener.said.wait_for("Connected to topic")
    fields = [*session, "X-Priority: 2", "X-Tags: wet,cold", "X-Title: Loft"]
    new = (await ask(daemon.port, "POST", "/loft", "new: jaźń", fields)).json

    shown.said.wait_for("new: jaźń")
    shown.said.wait_for("wet, cold")
    shown.said.wait_for("P2 Loft")
    printed.said.wait_for(new["id"])
    replayed.said.wait_for(new["id"])
    assert "zażółć" not in shown.said.text
    assert old["id"] not in printed.said.text, "what came up to then is known"
    assert replayed.said.text.index("first") < replayed.said.text.index(old["id"]) < replayed.said.text.index(new["id"])
    kept = [json.loads(line) for line in saved.read_text().splitlines()]
    assert [each["message"] for each in kept] == ["Connected to topic", "new: jaźń"]
    assert "404 Client Error" in notifer.fail("subscribe", "garden")
    notifer.knows()
    assert "401 Client Error" in notifer.fail("subscribe", "loft")


async def test_keys_are_made_listed_revoked_and_deleted_by_it(daemon: Daemon, notifer: Notifer) -> None:
    session = await with_key(daemon, notifer)

    made = notifer.run(
        "keys", "create", "ci", "-d", "Builds", "-s", "publish,subscribe", "--expires", "2100-01-01", answer="y\n"
    )

    secret = re.search(r"noti_\S+", made)
    assert secret
    assert "Scopes: publish, subscribe" in made
    assert secret[0] in notifer.run("config", "get", "api-key"), "it keeps the new one"
    assert "403 Client Error" in notifer.fail("keys", "list"), "which may not do that"
    await with_key(daemon, notifer)
    listed = notifer.run("keys", "list")
    assert "│ ci │ noti_" in listed
    assert "publish, subscribe" in listed
    keys = (await ask(daemon.port, "GET", "/api/keys", headers=session)).json
    id_ = next(key["id"] for key in keys if key["name"] == "ci")
    assert "API key revoked" in notifer.run("keys", "revoke", id_, answer="y\n")
    assert (await ask(daemon.port, "GET", "/api/topics", headers=[f"X-API-Key: {secret[0]}"])).status == 401
    assert "API key deleted" in notifer.run("keys", "delete", id_, answer="y\n")
    assert "404 Client Error" in notifer.fail("keys", "delete", id_, answer="y\n")
    assert "404 Client Error" in notifer.fail("keys", "revoke", id_, answer="y\n")


async def test_a_key_that_is_over_is_told_by_it_in_words(daemon: Daemon, notifer: Notifer) -> None:
    notifer.knows(api_key="noti_" + "x" * 43)

    said = notifer.fail("publish", "welcome", "Hello")

    answer = await ask(daemon.port, "POST", "/welcome", "Hello", ["X-API-Key: noti_" + "x" * 43])
    assert answer.status == 401
    assert answer.json["detail"] in said
