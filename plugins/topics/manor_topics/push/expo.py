"""Expo's push service: to apps on phones, up to a hundred messages in one request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from manor import Clock, Outgoing, OutgoingFailed, OutgoingRefused, Response
from manor_topics.push.addresses import APPS
from manor_topics.push.notices import Dead, Failed, Letter, Outcome, Taken, answer_text
from manor_topics.push.payloads import about, fitted
from manor_topics.retry_after import retry_after

TIMEOUT = 20.0

MOST_BYTES = 3800
"""Of one message: phones take 4096 bytes, in the words of their own push services."""

PRIORITY = {1: "high", 2: "high", 3: "default", 4: "normal", 5: "normal"}
"""By priority: 1 is the most important."""

GONE = "DeviceNotRegistered"

LATER = frozenset({"MessageRateExceeded", "ProviderError", "ExpoError"})
"""What goes better later; anything else that is wrong with a message stays wrong."""


class Ticket(msgspec.Struct, frozen=True):
    """What became of a message: a ticket at once, or a receipt later."""

    status: str
    id: str = ""
    message: str = ""
    details: Any = None

    @property
    def error(self) -> str:
        """In one word; "" for none that we know of."""
        details = self.details
        error = details.get("error") if isinstance(details, dict) else None
        return error if isinstance(error, str) else ""


class Tickets(msgspec.Struct, frozen=True):
    """One for each message, in their order."""

    data: list[Ticket]


class Receipts(msgspec.Struct, frozen=True):
    """By ticket; those that Expo does not know yet are missing."""

    data: dict[str, Ticket]


class Expo:
    """Writes to apps.

    Args:
        outgoing: Asks; reaches the configured address wherever it is.
        url: Of the API, without `/send`.
        access_token: Of the Expo account; "" for none.
        channel: The Android app's; "" for the one that it falls back to.
        clock: Says what is late.
    """

    platforms = APPS
    most = 100

    def __init__(self, outgoing: Outgoing, url: str, access_token: str, channel: str, clock: Clock) -> None:
        self._outgoing = outgoing
        self._url = url.rstrip("/")
        self._headers = {"Accept": "application/json"}
        if access_token:
            self._headers["Authorization"] = f"Bearer {access_token}"
        self._channel = channel
        self._clock = clock

    async def send(self, letters: Sequence[Letter]) -> Sequence[Outcome]:
        """Have letters delivered in one request, or in several where it is one of them that Expo does not take."""
        answer = await self._post("/send", [self._message(letter) for letter in letters])
        if isinstance(answer, Failed):
            return [answer] * len(letters)
        if answer.status in (400, 413) and len(letters) > 1:
            # One of them may have spoilt it for all: those of two apps must not stand in one request, for one.
            middle = len(letters) // 2
            return [*await self.send(letters[:middle]), *await self.send(letters[middle:])]
        if not 200 <= answer.status < 300:
            return [self._refused(answer)] * len(letters)
        try:
            tickets = msgspec.json.decode(answer.body, type=Tickets).data
        except msgspec.MsgspecError:
            tickets = []
        if len(tickets) != len(letters):
            # What it took of these nobody knows: twice is better than not at all.
            return [Failed(f"Expo's answer cannot be read: {answer_text(answer.body)}")] * len(letters)
        return [outcome_of(ticket) for ticket in tickets]

    async def receipts(self, tickets: Sequence[str]) -> Mapping[str, Outcome] | Failed:
        """What became of messages in the end; those that Expo does not know yet are missing."""
        answer = await self._post("/getReceipts", {"ids": list(tickets)})
        if isinstance(answer, Failed):
            return answer
        if not 200 <= answer.status < 300:
            return self._refused(answer)
        try:
            found = msgspec.json.decode(answer.body, type=Receipts).data
        except msgspec.MsgspecError:
            return Failed(f"Expo's answer cannot be read: {answer_text(answer.body)}")
        return {ticket: outcome_of(receipt) for ticket, receipt in found.items()}

    async def _post(self, path: str, document: Any) -> Response | Failed:
        try:
            return await self._outgoing.request(
                "POST", self._url + path, headers=self._headers, json=document, timeout=TIMEOUT, redirects=0
            )
        except OutgoingRefused as refused:
            return Failed(str(refused), is_final=True)
        except OutgoingFailed as failed:
            return Failed(str(failed))

    def _refused(self, answer: Response) -> Failed:
        reason = f"Expo: {answer.status} {answer_text(answer.body)}".rstrip()
        if answer.status in (408, 425, 429) or answer.status >= 500:
            return Failed(reason, wait=retry_after(answer.headers.get("retry-after"), self._clock.now()))
        return Failed(reason, is_final=True)

    def _message(self, letter: Letter) -> dict[str, Any]:
        notice, message = letter.notice, letter.notice.message
        document: dict[str, Any] = {
            "to": letter.push_token,
            "title": message.title or message.topic,
            "body": message.message,
            "data": about(notice),
            "priority": PRIORITY[message.priority],
            "badge": notice.badge,
            "ttl": max(0, int((notice.until - self._clock.now()).total_seconds())),
        }
        if notice.sound is not None:
            document["sound"] = notice.sound
        if self._channel:
            document["channelId"] = self._channel
        return fitted(document, ["body"], MOST_BYTES, ["data"])


def outcome_of(ticket: Ticket) -> Outcome:
    """What a ticket or a receipt says."""
    if ticket.status == "ok":
        return Taken(ticket.id)
    reason = f"Expo: {ticket.error} {ticket.message}".strip()[:300]
    if ticket.error == GONE:
        return Dead(reason)
    return Failed(reason, is_final=ticket.error not in LATER)
