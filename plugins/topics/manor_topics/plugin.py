"""Topics: publish a message with one request, hear it live, read it later."""

from __future__ import annotations

from manor import InParts, PluginContext
from manor_topics.config import TopicsConfig
from manor_topics.every_part import every_part


class Topics(InParts):
    """Named topics that anyone with the right publishes to, and hears over SSE and WebSocket."""

    Config = TopicsConfig
    enabled_by_default = True

    def __init__(self, context: PluginContext[TopicsConfig]) -> None:
        self.parts = every_part(context)

    def first_step(self, url: str) -> str:
        """What somebody who has just started the daemon may try."""
        return f"curl -d 'Hello' {url}/welcome"
