"""The tag reactions."""

from __future__ import annotations

import msgspec

from manor import Reply, Request, Route
from manor_chat.http.answers import STATUS_OK, answer
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.http.params import id_member, id_members, id_param, user_param
from manor_chat.parts import Shared
from manor_chat.posts import reacting
from manor_chat.wire.posts import ReactionShown


class ReactionSent(msgspec.Struct, frozen=True, kw_only=True):
    """A reaction as clients send it."""

    user_id: str = ""
    post_id: str = ""
    emoji_name: str = ""


class ReactionHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def add(self, request: Request[ReactionSent]) -> Reply:
        """React to a post."""
        user_id, post_id = id_member(request.body.user_id, "user_id"), id_member(request.body.post_id, "post_id")
        name = request.body.emoji_name
        return answer(
            await self._shared.write(
                request, lambda transaction, rights: reacting.react(transaction, rights, user_id, post_id, name)
            )
        )

    async def remove(self, request: Request) -> Reply:
        """Take a reaction back."""
        user_id, post_id, name = user_param(request), id_param(request, "post_id"), request.params["emoji_name"]
        await self._shared.write(
            request, lambda transaction, rights: reacting.unreact(transaction, rights, user_id, post_id, name)
        )
        return STATUS_OK

    async def of_post(self, request: Request) -> Reply:
        """The reactions to a post, the oldest first."""
        post_id = id_param(request, "post_id")
        return answer(
            await self._shared.read(
                request, lambda transaction, rights: reacting.reactions_to(transaction, rights, post_id)
            )
        )

    async def bulk(self, request: Request[list[str]]) -> Reply:
        """The reactions to many posts, by post."""
        ids = id_members(request.body, "post_ids")
        return answer(
            await self._shared.read(
                request, lambda transaction, rights: reacting.reactions_to_each(transaction, rights, ids)
            )
        )


def reaction_routes(shared: Shared) -> list[Route]:
    """The operations."""
    handlers = ReactionHandlers(shared)

    def one(line: str, handler: object, **more: object) -> Route:
        return operation(shared.api, line, handler, access=SIGNED_IN, tag="reactions", **more)

    return [
        one("POST /reactions", handlers.add, body=ReactionSent, returns=ReactionShown),
        one("DELETE /users/{user_id}/posts/{post_id}/reactions/{emoji_name}", handlers.remove),
        one("GET /posts/{post_id}/reactions", handlers.of_post, returns=list[ReactionShown]),
        one(
            "POST /posts/ids/reactions",
            handlers.bulk,
            body=list[str],
            returns=dict[str, list[ReactionShown]],
        ),
    ]
