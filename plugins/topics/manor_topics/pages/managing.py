"""Making topics, changing them, deleting them, in a browser."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import msgspec

from manor import FieldProblem, Refused, Reply, Request, Route, Unprocessable, redirect
from manor_topics.changing import Changing, TopicChanges
from manor_topics.creating import Creating, WantedTopic
from manor_topics.domain import AccessLevel
from manor_topics.pages.face import FORM_LIMIT, HOME, SIGNED_IN, TOPIC_PAGES, Face, passed_on, somebody
from manor_topics.parts import Shared
from manor_topics.rights import check_manage

NEW = "/app/new-topic"


class TopicForm(msgspec.Struct, frozen=True):
    """What a topic is to be like."""

    name: str = ""
    description: str = ""
    access_level: Literal["public", "private"] = "private"
    is_discoverable: str = ""


class DeleteForm(msgspec.Struct, frozen=True):
    """The name of what is deleted, as a second thought."""

    confirm: str = ""


EMPTY = TopicForm()


@dataclass(frozen=True, slots=True)
class _Wanted:
    access_level: AccessLevel
    description: str | None
    is_discoverable: bool


class ManagingPages:
    """One method for each request.

    Args:
        shared: What all parts use.
        face: Renders.
    """

    def __init__(self, shared: Shared, face: Face) -> None:
        context = shared.context
        self._shared = shared
        self._face = face
        self._creating = Creating(context.storage, shared.payers, shared.check_name)
        self._changing = Changing(context, shared.callers, shared.payers, shared.check_name, shared.parts)

    def routes(self) -> list[Route]:
        """A form for a new topic, and the settings of one that is there."""
        path = f"{HOME}/{{topic}}"
        page = partial(self._face.pages.page, api=TOPIC_PAGES, access=SIGNED_IN, returns=Reply)
        form = partial(page, "POST", body_limit=FORM_LIMIT, errors=(409,))
        return [
            page("GET", NEW, self.begin),
            form(NEW, self.create, form=TopicForm),
            page("GET", f"{path}/settings", self.settings),
            form(f"{path}/settings", self.change, form=TopicForm),
            form(f"{path}/delete", self.delete, form=DeleteForm),
        ]

    async def begin(self, request: Request) -> Reply:
        """An empty form."""
        return self._face.show(request, "new_topic.html", typed=EMPTY)

    async def create(self, request: Request[TopicForm]) -> Reply:
        """Make the topic; who makes it is subscribed to it."""
        form, wanted = request.body, _wanted(request.body)
        try:
            made = await self._creating.create(
                somebody(request.principals),
                WantedTopic(
                    name=form.name.strip(),
                    access_level=wanted.access_level,
                    description=wanted.description,
                    is_discoverable=wanted.is_discoverable,
                ),
            )
        except Refused as refused:
            if passed_on(refused):
                raise
            return self._face.show(request, "new_topic.html", refused, typed=form)
        return redirect(f"{HOME}/{made.topic.name}?done=made")

    async def settings(self, request: Request) -> Reply:
        """What the topic is like."""
        return await self._page(request)

    async def change(self, request: Request[TopicForm]) -> Reply:
        """Have it be otherwise."""
        form, wanted = request.body, _wanted(request.body)
        topic = await self._shared.reading.find(request.params["topic"])
        changes = TopicChanges(
            name=form.name.strip(),
            access_level=wanted.access_level,
            description=wanted.description,
            is_discoverable=wanted.is_discoverable,
        )
        try:
            changed, _ = await self._changing.change(str(topic.id), request.principals, changes)
        except Refused as refused:
            if passed_on(refused):
                raise
            return await self._page(request, refused, typed=form)
        return redirect(f"{HOME}/{changed.name}?done=changed")

    async def delete(self, request: Request[DeleteForm]) -> Reply:
        """Delete it with everything in it, if its name was typed."""
        topic = await self._shared.reading.find(request.params["topic"])
        if request.body.confirm.strip() != topic.name:
            wrong = FieldProblem("confirm", "is another name than the topic's")
            return await self._page(request, Unprocessable("The name is another one", errors=[wrong]))
        await self._changing.delete(str(topic.id), request.principals)
        return redirect(f"{HOME}?done=deleted")

    async def _page(
        self, request: Request[Any, Any], refused: Refused | None = None, *, typed: TopicForm | None = None
    ) -> Reply:
        topic = await self._shared.reading.find(request.params["topic"])
        caller = await self._shared.callers.find(request.principals)
        check_manage(topic, caller, self._shared.config)
        typed = typed or TopicForm(
            topic.name, topic.description or "", topic.access_level, "yes" if topic.is_discoverable else ""
        )
        return self._face.show(request, "topic_settings.html", refused, topic=topic, typed=typed)


def _wanted(form: TopicForm) -> _Wanted:
    description = form.description.replace("\r\n", "\n").strip() or None
    return _Wanted(form.access_level, description, is_discoverable=bool(form.is_discoverable))
