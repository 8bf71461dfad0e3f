"""All parts of the plugin."""

from __future__ import annotations

from collections.abc import Sequence

from manor import Part, PluginContext
from manor_chat.channels.part import Channels
from manor_chat.config import ChatConfig
from manor_chat.emoji.part import CustomEmoji
from manor_chat.files.imaging import Studio
from manor_chat.files.part import Files
from manor_chat.foundation import Foundation
from manor_chat.integrations.part import Integrations
from manor_chat.links.part import Links
from manor_chat.moving.part import Moving
from manor_chat.oauth.part import OAuthProvider
from manor_chat.parts import Shared
from manor_chat.people.part import People
from manor_chat.personal.part import Personal
from manor_chat.posts.part import Posts
from manor_chat.privacy.part import Privacy
from manor_chat.search.part import Searching
from manor_chat.sidebar.part import Sidebar
from manor_chat.socket.part import Live
from manor_chat.status.part import Statuses
from manor_chat.system.part import Describing
from manor_chat.teams.dissolving import Dissolving
from manor_chat.teams.part import Teams
from manor_chat.threads.part import Threads


def every_part(context: PluginContext[ChatConfig]) -> Sequence[Part]:
    """Make them all."""
    shared, studio = Shared.of(context), Studio()
    parts: list[Part] = [
        # First, so that it closes last: what the others still tell is heard.
        Live(shared, lambda: [each for part in parts for each in part.authenticators()]),
        Foundation(shared),
        People(shared),
        Describing(shared),
        Teams(shared),
        Dissolving(shared),
        OAuthProvider(shared),
        Channels(shared),
        Posts(shared),
        Threads(shared),
        Personal(shared),
        Sidebar(shared),
        Statuses(shared),
        Searching(shared),
        Files(shared, studio),
        CustomEmoji(shared, studio),
        Links(shared, studio),
        Integrations(shared),
        Moving(shared, studio),
        # Last, for it cleans the index of posts of what all others erased.
        Privacy(shared),
    ]
    return parts
