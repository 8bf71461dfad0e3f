"""Sessions of streams outlive the daemon, however it ends."""

from __future__ import annotations

import msgspec

from tests.e2e.clients import Events, ask, hearing
from tests.e2e.conftest import Make
from tests.e2e.daemon import Daemon

PASSWORD = "a fine long passphrase"
JSON = "Content-Type: application/json"


async def sign_in(daemon: Daemon) -> list[str]:
    """Headers of a session of Ada's."""
    body = msgspec.json.encode({"email": "ada@example.org", "password": PASSWORD})
    signed_in = await ask(daemon.port, "POST", "/auth/login", body, [JSON])
    assert signed_in.status == 200, signed_in.body
    return [JSON, f"Authorization: Bearer {signed_in.json['access_token']}"]


async def publish(daemon: Daemon, topic: str, text: str) -> None:
    published = await ask(daemon.port, "POST", f"/{topic}", text)
    assert published.status == 200, published.body


async def texts_of(events: Events, count: int) -> list[str]:
    return [heard.json["message"] for heard in await events.messages(count)]


async def test_a_session_goes_on_after_the_daemon_was_killed(make: Make) -> None:
    daemon = make({"identity": {"require_verification": False}})
    daemon.start()
    added = daemon.manor(
        "user", "add", "ada@example.org", "--username", "ada", "--password-stdin", stdin=f"{PASSWORD}\n"
    )
    assert added.returncode == 0, added.stderr
    ada = await sign_in(daemon)
    topic = msgspec.json.encode({"name": "attic", "access_level": "public"})
    assert (await ask(daemon.port, "POST", "/api/topics", topic, ada)).status == 201
    topics = msgspec.json.encode({"topics": ["attic", "welcome"]})
    made = await ask(daemon.port, "POST", "/api/sse/sessions", topics, ada)
    assert made.status == 200, made.body
    path = f"/sse?session={made.json['session_id']}"
    async with hearing(daemon.port, path) as events:
        await publish(daemon, "attic", "one")
        await publish(daemon, "welcome", "two")
        _, two = await events.messages(2)
        daemon.kill()

    daemon.start()
    await publish(daemon, "attic", "three")
    # A client that names no message may have got none of what was written to it.
    async with hearing(daemon.port, path) as events:
        assert await texts_of(events, 3) == ["one", "two", "three"]
    async with hearing(daemon.port, path, headers=[f"Last-Event-ID: {two.id}"]) as events:
        assert await texts_of(events, 1) == ["three"]
