"""A house that pushes, with the push services that it pushes to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import trio.testing

from manor.outbox import OutboxRow
from manor.testing import Client, House, SetClock, open_test_house
from tests.push_services import Browser, ExpoService, WebPushService, serving
from tests.topic_people import asking_as, person

EXPO_TOKEN = "a token of the Expo account"


@dataclass
class Pushing:
    """What `open_pushing` yields."""

    house: House
    clock: SetClock
    web: WebPushService
    expo: ExpoService

    async def person(self, name: str) -> Client:
        """Somebody who has signed in."""
        return asking_as(self.house, await person(self.house, name))

    async def phone(self, client: Client, name: str = "ann", **more: Any) -> dict[str, Any]:
        """A device that is reached through Expo."""
        body = {"push_token": f"ExponentPushToken[{name}]", "platform": "ios", "device_id": f"phone-{name}", **more}
        return made(await client.post("/api/devices/register", json=body))

    async def browser(self, client: Client, name: str = "ann") -> Browser:
        """A browser that is reached through Web Push."""
        browser = Browser(self.web, name)
        body = {"push_token": browser.subscription, "platform": "web", "device_id": f"browser-{name}"}
        made(await client.post("/api/devices/register", json=body))
        return browser

    async def device(self, client: Client, reference: str) -> dict[str, Any]:
        """A device, as its owner sees it."""
        answer = await client.get(f"/api/devices/{reference}")
        assert answer.status == 200, answer.text
        device: dict[str, Any] = answer.json()
        return device

    async def rows(self, state: str = "waiting") -> list[OutboxRow]:
        """What is put off, and what is given up."""
        outbox = self.house.services.outbox
        return list(await self.house.storage.read(lambda transaction: outbox.list(transaction, state=state)))

    async def settled(self) -> list[OutboxRow]:
        """Wait until everything was tried that is due; what is to be tried later."""
        while True:
            await trio.testing.wait_all_tasks_blocked()
            rows, now = await self.rows(), self.clock.now()
            later = [row for row in rows if row.due_at is not None and row.due_at > now]
            behind = {row.key for row in later if row.key is not None}
            if all(row in later or row.key in behind for row in rows):
                return later

    async def retried(self, *, state: str = "waiting") -> list[OutboxRow]:
        """Have all that is put off, or given up, be done now, as an admin may."""
        outbox, ids = self.house.services.outbox, [row.id for row in await self.rows(state)]
        await self.house.storage.write(lambda transaction: outbox.retry(transaction, ids))
        outbox.ring()
        return await self.settled()


@asynccontextmanager
async def open_pushing(
    folder: Path, clock: SetClock, *, providers: tuple[str, ...] = ("expo", "webpush"), inline: bool = True, **push: Any
) -> AsyncIterator[Pushing]:
    """A house with both providers, their services, and one topic of nobody's: `welcome`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "expo.token").write_text(f"{EXPO_TOKEN}\n")
    (folder / "expo.token").chmod(0o600)
    async with (
        serving(lambda port: WebPushService(port, clock=clock)) as web,
        serving(lambda port: ExpoService(port, access_token=EXPO_TOKEN)) as expo,
    ):
        table = {
            "providers": list(providers),
            "expo_url": f"{expo.url}/--/api/v2/push",
            "expo_access_token_file": str(folder / "expo.token"),
            "vapid_subject": "mailto:admin@example.org",
            "web_origins": [web.url],
            **push,
        }
        config = {"plugins": {"topics": {"push": table}}}
        async with open_test_house(folder, plugins=["topics"], config=config, clock=clock, inline=inline) as house:
            yield Pushing(house, clock, web, expo)
            assert web.complaints == expo.complaints == []


async def subscribe(client: Client, topic: str = "alarms", **settings: Any) -> dict[str, Any]:
    """Somebody's subscription, with these settings; whoever made the topic has one."""
    answer = await client.get("/api/subscriptions")
    known = [each for each in answer.json()["subscriptions"] if each["topic_name"] == topic]
    mobile = {name: settings.pop(name) for name in list(settings) if not name.endswith("_enabled") or name in _MOBILE}
    body = {**settings, **({"mobile_notification_settings": mobile} if mobile else {})}
    if known:
        answer = await client.request("PATCH", f"/api/subscriptions/{known[0]['id']}", json=body)
        assert answer.status == 200, answer.text
        changed: dict[str, Any] = answer.json()
        return changed
    return made(await client.post("/api/subscriptions", json={"topic_name": topic, **body}))


_MOBILE = {"sound_enabled", "vibrate_enabled"}


def made(answer: Any) -> dict[str, Any]:
    """What was made."""
    assert answer.status == 201, answer.text
    body: dict[str, Any] = answer.json()
    UUID(body["id"])
    return body
