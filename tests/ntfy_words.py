"""What ntfy's senders see, for tests."""

from __future__ import annotations

from typing import Any

from manor.testing import Answer, Client


async def newest(client: Client) -> dict[str, Any]:
    """The newest message as the server's own API has it: what ntfy sends comes back on every path."""
    message: dict[str, Any] = (await client.get("/welcome/json?limit=1")).json()["messages"][0]
    return message


def ntfy_refusal(answer: Answer) -> tuple[int, int]:
    """Status and number of a refusal in ntfy's words."""
    said = answer.json()
    assert said["http"] == answer.status
    assert said["error"] == said["detail"]
    return answer.status, said["code"]
