"""What the pages have in common: who opens them, how a message is shown, and how a form says what is wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from msgspec import UNSET

from manor import Kinds, Pages, Principal, Rate, Refused, Reply, Request, Unauthorized, page_api, troubles_of
from manor_topics.http.api import PUBLISHING, SIGNED_IN_RATE
from manor_topics.messages import Message

TOPIC_PAGES = replace(page_api("topics pages"), anonymous_rate=Rate(300), signed_in_rate=SIGNED_IN_RATE)

PUBLISHING_PAGES = replace(
    page_api(PUBLISHING.name), anonymous_rate=PUBLISHING.anonymous_rate, signed_in_rate=PUBLISHING.signed_in_rate
)
"""Of the API's name, so that a stranger's messages are counted together, whichever way they take."""

BROWSER = "web_session"
SIGNED_IN = Kinds(BROWSER)

HOME = "/app/topics"

FORM_LIMIT = 65_536
"""Bytes of any form but the one with a message in it."""

MOST_LISTED = 100
"""Topics in one list."""

PRIORITIES = {1: "urgent", 2: "high", 3: "normal", 4: "low", 5: "lowest"}

_WEB = re.compile(r"https?://[^\s]+", re.IGNORECASE)


class Press(msgspec.Struct, frozen=True):
    """A form that is a button, with nothing in it but its token."""


@dataclass(frozen=True, slots=True)
class Link:
    """Something of a message that leads elsewhere."""

    label: str
    href: str


def links_of(message: Message) -> list[Link]:
    """Where a message leads: its click URL, its file and its buttons that open something; the web alone, whatever else
    a publisher may have written there."""
    found: list[tuple[Any, Any]] = []
    if message.click is not UNSET:
        found.append((None, message.click))
    if message.attachment is not UNSET:
        found.append((message.attachment.get("name"), message.attachment.get("url")))
    if message.actions is not UNSET:
        found += [(each.get("label"), each.get("url")) for each in message.actions if each.get("action") == "view"]
    return [Link(_text(label) or _host(url), url) for label, url in found if is_web(url)]


def is_web(url: Any) -> bool:
    """Whether it is safe to have somebody follow it."""
    return isinstance(url, str) and _WEB.fullmatch(url) is not None


def _text(label: Any) -> str:
    return label if isinstance(label, str) else ""


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or url
    except ValueError:
        return url


class Face:
    """Renders pages and forms.

    Args:
        pages: The plugin's templates.
    """

    def __init__(self, pages: Pages) -> None:
        self.pages = pages

    def show(self, request: Request[Any, Any], template: str, refused: Refused | None = None, **values: Any) -> Reply:
        """Make a page; with a refusal it says what was wrong with the form.

        Args:
            request: What it answers.
            template: Its name.
            refused: Why a form was not taken.
            values: What the template shows.
        """
        known = {"priorities": PRIORITIES, "links_of": links_of, "home": HOME, "troubles": {}}
        if refused is None:
            return self.pages.render(request, template, **{**known, **values})
        known["troubles"] = troubles_of(refused, is_named=True)
        page = self.pages.render(request, template, status=refused.status, **{**known, **values})
        return replace(page, headers={**page.headers, **refused.headers})


def somebody(principals: Sequence[Principal]) -> UUID:
    """Who opened a page.

    Raises:
        Unauthorized: Nobody that we know.
    """
    person = person_of(principals)
    if person is None:
        raise Unauthorized("Sign in first")
    return person


def person_of(principals: Sequence[Principal]) -> UUID | None:
    """Who opened a page; None for a stranger."""
    return next((principal.user_id for principal in principals if principal.user_id is not None), None)


def able(principals: Sequence[Principal]) -> list[Principal]:
    """The same, as those ask who are in front of a screen: sessions of browsers have no scopes, and need none."""
    return [replace(principal, scopes=frozenset({"*"})) for principal in principals]


def passed_on(refused: Refused) -> bool:
    """Whether a refusal is about more than what was typed: then it has a page of its own, or leads to sign in."""
    return refused.status in (401, 404)
