"""Making, changing and deleting topics over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from manor import Principal, Request, Route, Unauthorized
from manor_topics.changing import Changing, TopicChanges
from manor_topics.creating import Creating, WantedTopic
from manor_topics.http.api import NOTIFER, SIGNED_IN
from manor_topics.messages import TopicListed, TopicShown
from manor_topics.reading import Reading
from manor_topics.rights import in_scope

BODY_LIMIT = 16_384
SCOPE = "topics:write"


class TopicMade(TopicListed, frozen=True, kw_only=True):
    """A new topic; the warning says why its maker is not subscribed to it."""

    subscription_warning: str | None


class ManagingHandlers:
    """One method for each operation.

    Args:
        reading: Shows topics.
        creating: Makes them.
        changing: Changes and deletes them.
    """

    def __init__(self, reading: Reading, creating: Creating, changing: Changing) -> None:
        self._reading = reading
        self._creating = creating
        self._changing = changing

    async def create(self, request: Request[WantedTopic]) -> TopicMade:
        """Make a topic, private when nothing is said of it; who makes it is subscribed to it."""
        made = await self._creating.create(_person(in_scope(request.principals, SCOPE)), request.body)
        return TopicMade(
            **msgspec.structs.asdict(made.topic),
            message_count=0,
            subscriber_count=0 if made.warning else 1,
            last_message_at=None,
            subscription_warning=made.warning,
        )

    async def change(self, request: Request[TopicChanges]) -> TopicShown:
        """Change a topic; what is left out stays as it is."""
        principals = in_scope(request.principals, SCOPE)
        topic, caller = await self._changing.change(request.params["topic"], principals, request.body)
        return await self._reading.shown(topic, caller)

    async def delete(self, request: Request) -> None:
        """Delete a topic with everything in it."""
        await self._changing.delete(request.params["topic"], in_scope(request.principals, SCOPE))


def managing_routes(handlers: ManagingHandlers) -> list[Route]:
    """Create, change, delete."""
    return [
        Route(
            "POST",
            "/api/topics",
            handlers.create,
            api=NOTIFER,
            access=SIGNED_IN,
            body=WantedTopic,
            body_limit=BODY_LIMIT,
            returns=TopicMade,
            status=201,
            errors=(404, 409),
        ),
        Route(
            "PATCH",
            "/api/topics/{topic}",
            handlers.change,
            api=NOTIFER,
            access=SIGNED_IN,
            body=TopicChanges,
            body_limit=BODY_LIMIT,
            returns=TopicShown,
            errors=(409,),
        ),
        Route("DELETE", "/api/topics/{topic}", handlers.delete, api=NOTIFER, access=SIGNED_IN, status=204),
    ]


def _person(principals: Sequence[Principal]) -> UUID:
    """Whose the topic is: the first of those who ask."""
    person = next((principal.user_id for principal in principals if principal.user_id is not None), None)
    if person is None:
        raise Unauthorized("Topics are made by people")
    return person
