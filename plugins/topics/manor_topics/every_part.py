"""All parts of the plugin."""

from __future__ import annotations

from collections.abc import Sequence

from manor import PluginContext
from manor_topics.announcing import Announcing
from manor_topics.config import TopicsConfig
from manor_topics.gotify.part import Gotify
from manor_topics.managing import Managing
from manor_topics.messaging import Messaging
from manor_topics.ntfy.part import Ntfy
from manor_topics.pages.part import Screens
from manor_topics.parts import Part, Shared
from manor_topics.push.part import Pushes
from manor_topics.scheduling import Scheduling
from manor_topics.search.part import Searches
from manor_topics.streams.part import Listening
from manor_topics.subscribers import Subscribers
from manor_topics.teams.part import Teams
from manor_topics.webhooks.part import Webhooks


def every_part(context: PluginContext[TopicsConfig]) -> Sequence[Part]:
    """Make them all; each finds the others in what they share."""
    shared = Shared.of(context)
    pushes, searches = Pushes(shared), Searches(shared)
    shared.parts.extend(
        [
            Messaging(shared),
            Listening(shared),
            Ntfy(shared),
            Gotify(shared),
            Managing(shared),
            Teams(shared),
            Subscribers(shared),
            Scheduling(shared),
            Webhooks(shared),
            Announcing(shared),
            pushes,
            Screens(shared, pushes, searches),
            searches,  # last: it merges what the others erase
        ]
    )
    return shared.parts
