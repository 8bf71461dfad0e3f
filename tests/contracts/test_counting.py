"""What the daemon counts about itself is counted where it happens."""

from __future__ import annotations

import re

import httpx

from tests.contracts.conftest import Door


async def test_requests_and_commits_are_counted(door: Door) -> None:
    async with httpx.AsyncClient(base_url=door.url, verify=False) as client:
        await client.post("/welcome", content="one")
        await client.post("/nowhere", content="two")
        text = (await client.get("/metrics")).text

    counted = dict(re.findall(r"^(manor_\w+(?:\{[^}]*\})?) ([0-9.e+]+)$", text, re.MULTILINE))
    assert counted['manor_requests_total{api="notifer publishing",method="POST",status="2xx"}'] == "1.0"
    assert counted['manor_requests_total{api="notifer publishing",method="POST",status="4xx"}'] == "1.0"
    assert float(counted["manor_writer_commit_seconds_count"]) > 0
