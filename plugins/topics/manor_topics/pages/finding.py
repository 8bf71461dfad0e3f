"""Searching from a page: what a form asks for, and a page of what is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import msgspec

from manor import Principal, Refused
from manor_topics.messages import Message
from manor_topics.search.finding import Criteria
from manor_topics.search.searching import Page, Searching
from manor_topics.search.words import read_query

FOUND = 30
"""Messages on one page."""

MOST_WORDS = 1000
MOST_TAGS = 100


class Words(msgspec.Struct, frozen=True):
    """What a search form says; a field that is empty asks for nothing."""

    q: str = ""
    tags: str = ""
    priority: str = ""
    offset: str = ""

    @property
    def is_asking(self) -> bool:
        """Whether anything is asked for."""
        return any(map(str.strip, (self.q, self.tags, self.priority)))

    @property
    def start(self) -> int:
        """How many messages come before this page."""
        return int(self.offset) if self.offset.isascii() and self.offset.isdigit() and len(self.offset) < 9 else 0

    def at(self, offset: int) -> str:
        """The query of another page of the same search."""
        said = {"q": self.q, "tags": self.tags, "priority": self.priority, "offset": str(offset) if offset else ""}
        return urlencode({name: text for name, text in said.items() if text})


@dataclass(frozen=True, slots=True)
class FoundPage:
    """A page of what was found: messages, newest first, how many there are in all, and the pages around it."""

    messages: Sequence[Message]
    total: int
    newer: str
    older: str


class Finding:
    """Searches for pages.

    Args:
        searching: Finds messages.
    """

    def __init__(self, searching: Searching) -> None:
        self._searching = searching

    async def in_topic(self, name: str, principals: Sequence[Principal], words: Words) -> tuple[FoundPage | None, str]:
        """What a topic has of it, or why nothing could be looked for."""
        try:
            criteria = _criteria(words)
            _, page = await self._searching.in_topic(
                name, principals, criteria, limit=FOUND, offset=words.start, include_deleted=False
            )
        except Refused as refused:
            if refused.status in (401, 403, 404):
                raise
            return None, refused.detail
        return _page(page, words), ""

    async def everywhere(self, principals: Sequence[Principal], words: Words) -> tuple[FoundPage | None, str]:
        """What all topics have that somebody cares about, or why nothing could be looked for."""
        try:
            page = await self._searching.everywhere(None, principals, _criteria(words), limit=FOUND, offset=words.start)
        except Refused as refused:
            return None, refused.detail
        return _page(page, words), ""


def _criteria(words: Words) -> Criteria:
    tags = [tag for text in words.tags[:MOST_WORDS].split(",") if (tag := text.strip())]
    # "2" is what is at least as important.
    priority = int(words.priority) if words.priority in ("1", "2", "3", "4", "5") else None
    wanted = read_query(words.q[:MOST_WORDS]) if words.q.strip() else None
    return Criteria(wanted=wanted, tags=tags[:MOST_TAGS], priority_max=priority)


def _page(page: Page, words: Words) -> FoundPage:
    start, end = words.start, words.start + FOUND
    newer = f"?{words.at(max(0, start - FOUND))}" if start else ""
    return FoundPage(page.messages, page.total, newer, f"?{words.at(end)}" if end < page.total else "")
