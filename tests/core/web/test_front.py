"""What every answer through the Quart front has, and what it has not."""

from __future__ import annotations

from tests.core.web.serving import Serve


async def test_a_route_answers_over_a_real_port(serve: Serve) -> None:
    running = await serve()

    answer = await running.get("/hello")

    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.headers["content-length"] == "5"
    assert "date" in answer.headers
    assert "server" not in answer.headers
