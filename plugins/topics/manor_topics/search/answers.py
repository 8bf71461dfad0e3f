"""What searches answer: the exact member names of the API."""

from __future__ import annotations

from datetime import datetime

import msgspec

from manor_topics.messages import Message
from manor_topics.search.activity import Bucket


class TopicMessages(msgspec.Struct, frozen=True):
    """A page of one topic's messages; `total` is how many there are on all pages."""

    messages: list[Message]
    total: int
    limit: int
    offset: int
    query: str | None
    topic: str


class Filters(msgspec.Struct, frozen=True):
    """What a search was narrowed by; null is what it was not."""

    topic: str | None
    priority_min: int | None
    priority_max: int | None
    date_from: datetime | None
    date_to: datetime | None
    tags: list[str] | None


class SearchResult(msgspec.Struct, frozen=True):
    """A page of messages; `total` is how many there are on all pages."""

    messages: list[Message]
    total: int
    limit: int
    offset: int
    query: str | None
    filters: Filters


class ActivityBucket(msgspec.Struct, frozen=True):
    """How many messages of each priority came in an hour or a day that begins with `timestamp`."""

    timestamp: datetime
    priority_1: int
    priority_2: int
    priority_3: int
    priority_4: int
    priority_5: int


class ActivityShown(msgspec.Struct, frozen=True):
    """Buckets from the first to the last, empty ones too; `total` is the sum of all of them."""

    buckets: list[ActivityBucket]
    total: int
    bucket_size: Bucket
    start_date: datetime
    end_date: datetime
