"""Chat: teams, channels and posts, by the Mattermost API v4."""

from __future__ import annotations

from manor import InParts, PluginContext
from manor_chat.config import ChatConfig


class Chat(InParts):
    """Team chat for the apps and bots that people have already."""

    Config = ChatConfig

    def __init__(self, context: PluginContext[ChatConfig]) -> None:
        # Most houses have it switched off, and read its configuration all the same.
        from manor_chat.every_part import every_part

        self.parts = every_part(context)
