"""ntfy's other paths: publishing with GET, what apps ask at their set-up, and what nobody serves."""

from __future__ import annotations

from uuid import UUID

import msgspec
import pytest

from manor import Principal
from manor.house import House
from manor.testing import Client
from manor_topics.commands import CreateTopics
from tests.ntfy_words import newest, ntfy_refusal

BY_GET = pytest.mark.manor(config={"plugins": {"topics": {"compat": {"get_publish": True}}}})


async def test_publishing_by_get_is_off_by_default(client: Client) -> None:
    for word in ("publish", "send", "trigger"):
        assert (await client.get(f"/welcome/{word}?m=x")).status == 404
        assert (await client.get(f"/ntfy/welcome/{word}?m=x")).status == 404


@BY_GET
@pytest.mark.parametrize("prefix", ["", "/ntfy"])
@pytest.mark.parametrize("word", ["publish", "send", "trigger"])
async def test_publishing_by_get_needs_a_credential(client: Client, reader: Client, prefix: str, word: str) -> None:
    path = f"{prefix}/welcome/{word}?message=Hello&priority=5&title=T"

    assert ntfy_refusal(await client.get(path)) == (401, 40101)
    answer = await reader.get(path)
    assert (answer.status, answer.json()["priority"]) == (200, 5)
    stored = await newest(client)
    assert (stored["message"], stored["priority"], stored["title"]) == ("Hello", 1, "T")


@pytest.fixture
def reader(house: House) -> Client:
    """Somebody who has signed in."""
    ann = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
    return Client(house.dispatcher, principals=(Principal("access", user_id=ann, scopes=frozenset({"*"})),))


async def test_paths_below_ntfy_that_nobody_serves_are_refused_in_its_words(client: Client) -> None:
    for method, path, refused in (
        ("GET", "/ntfy/welcome/nothing", (404, 40401)),
        ("GET", "/v1/nothing", (404, 40401)),
        ("DELETE", "/ntfy/welcome", (405, 40501)),
        ("GET", "/ntfy/nowhere/json", (404, 40401)),
        ("GET", "/ntfy/welcome/ws", (426, 42601)),
        ("POST", "/ntfy/nowhere", (404, 40401)),
        ("POST", "/ntfy/%FF", (404, 40401)),
        ("POST", "/ntfy/api", (404, 40401)),
    ):
        assert ntfy_refusal(await client.request(method, path)) == refused, path


async def test_apps_are_told_about_the_server(client: Client, house: House) -> None:
    await house.run_command("topics.create", CreateTopics(names=["other"]))

    assert (await client.get("/v1/health")).json() == {"healthy": True}
    assert (await client.get("/ntfy/v1/account")).json() == {"username": "*", "role": "anonymous"}
    config = (await client.get("/ntfy/v1/config")).json()
    assert config["base_url"].startswith("http")
    assert not any(value is True for value in config.values())
    assert msgspec.json.decode((await client.get("/ntfy/welcome,other/auth")).body) == {"success": True}
