"""Editing and deleting messages over HTTP."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from manor import Request, Route
from manor_topics.editing import Editing
from manor_topics.http.api import NOTIFER, SIGNED_IN
from manor_topics.rights import in_scope

SCOPE = "messages:write"


class EditMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What a message says from now on; a title that is left out stays, and null removes it."""

    message: str
    title: str | UnsetType | None = UNSET


class MessageEdit(msgspec.Struct, frozen=True):
    """A message as it is now."""

    id: UUID
    message: str
    title: str | None
    edited_at: datetime


class MessageDeletion(msgspec.Struct, frozen=True):
    """A message is deleted."""

    id: UUID
    deleted_at: datetime
    message: str


class EditingHandlers:
    """One method for each operation.

    Args:
        editing: Does it.
    """

    def __init__(self, editing: Editing) -> None:
        self._editing = editing

    async def edit(self, request: Request[EditMessage]) -> MessageEdit:
        """Change a message's text or title."""
        topic, message_id = request.params["topic"], request.params["message_id"]
        principals, body = in_scope(request.principals, SCOPE), request.body
        edited = await self._editing.edit(topic, message_id, principals, text=body.message, title=body.title)
        assert isinstance(edited.edited_at, datetime), "it has just been edited"
        return MessageEdit(edited.id, edited.message, edited.title, edited.edited_at)

    async def delete(self, request: Request) -> MessageDeletion:
        """Delete a message: it is hidden at once."""
        topic, message_id = request.params["topic"], request.params["message_id"]
        id_, deleted_at = await self._editing.delete(topic, message_id, in_scope(request.principals, SCOPE))
        return MessageDeletion(id_, deleted_at, "Message deleted successfully")


def editing_routes(handlers: EditingHandlers, body_limit: int) -> list[Route]:
    """Edit, delete."""
    path = "/api/{topic}/messages/{message_id}"
    return [
        Route(
            "PATCH",
            path,
            handlers.edit,
            api=NOTIFER,
            access=SIGNED_IN,
            body=EditMessage,
            body_limit=body_limit,
            returns=MessageEdit,
        ),
        Route("DELETE", path, handlers.delete, api=NOTIFER, access=SIGNED_IN, returns=MessageDeletion),
    ]
