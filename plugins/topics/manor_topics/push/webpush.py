"""Web Push (RFC 8030): to browsers, through whatever push service each of them named."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

import msgspec

from manor import Clock, Outgoing, OutgoingFailed, OutgoingRefused, Response
from manor_topics.domain import Misfit
from manor_topics.push.addresses import WEB, WebAddress, read_web
from manor_topics.push.encryption import MOST_BYTES, encrypt
from manor_topics.push.notices import Dead, Failed, Letter, Notice, Outcome, Taken, answer_text
from manor_topics.push.payloads import about, fitted
from manor_topics.push.vapid import VapidKey, open_key
from manor_topics.retry_after import retry_after

TIMEOUT = 10.0

SIZES = (MOST_BYTES, 2000, 600)
"""Bytes of JSON, tried in turn while a push service finds it too large (413)."""

URGENCY = {1: "high", 2: "high", 3: "normal", 4: "low", 5: "very-low"}
"""By priority: 1 is the most important."""


class WebPush:
    """Writes to browsers.

    Args:
        outgoing: Asks; endpoints come from clients, so it reaches nothing private but what the admin named.
        key_file: Of the key that signs.
        subject: Whom push services may turn to; "" for nobody.
        clock: Dates signatures.
    """

    platforms = frozenset({WEB})
    most = 1

    def __init__(self, outgoing: Outgoing, key_file: Path, subject: str, clock: Clock) -> None:
        self._outgoing = outgoing
        self._key_file = key_file
        self._key: VapidKey | None = None
        self._subject = subject
        self._clock = clock

    def open(self) -> None:
        """Read the key, or make it.

        Raises:
            ManorError: There is no such key.
        """
        self._key = open_key(self._key_file)

    @property
    def key(self) -> VapidKey:
        """Signs; there once this is open."""
        assert self._key is not None, "opened by the part's lifespan"
        return self._key

    async def send(self, letters: Sequence[Letter]) -> Sequence[Outcome]:
        """Have letters delivered, one request each."""
        return [await self._send(letter) for letter in letters]

    async def _send(self, letter: Letter) -> Outcome:
        try:
            address = read_web(letter.push_token)
        except Misfit as misfit:
            return Dead(str(misfit))
        outcome: Outcome = Failed("there is nothing to send", is_final=True)
        for size in SIZES:
            try:
                answer = await self._post(address, letter.notice, size)
            except OutgoingRefused as refused:
                return Dead(str(refused))
            except OutgoingFailed as failed:
                return Failed(str(failed))
            outcome = self._read(address, answer)
            if answer.status != 413:
                break
        return outcome

    async def _post(self, address: WebAddress, notice: Notice, most_bytes: int) -> Response:
        now, message = self._clock.now(), notice.message
        document = {**about(notice), "title": message.title, "message": message.message, "sound": notice.sound}
        text = msgspec.json.encode(fitted(document, ["message"], most_bytes))
        headers = {
            "Authorization": self.key.authorization(address.origin, self._subject, now),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(max(0, int((notice.until - now).total_seconds()))),
            "Urgency": URGENCY[message.priority],
            # The same message once more takes the place of the first, while the browser is away.
            "Topic": base64.urlsafe_b64encode(message.id.bytes).rstrip(b"=").decode(),
        }
        body = encrypt(text, address.public_key, address.secret)
        return await self._outgoing.request(
            "POST", address.endpoint, headers=headers, content=body, timeout=TIMEOUT, most_bytes=65_536, redirects=0
        )

    def _read(self, address: WebAddress, answer: Response) -> Outcome:
        status = answer.status
        if 200 <= status < 300:
            return Taken()
        reason = f"{address.origin}: {status} {answer_text(answer.body)}".rstrip()
        if status in (404, 410):
            return Dead(reason)
        if status in (408, 425, 429) or status >= 500:
            return Failed(reason, wait=retry_after(answer.headers.get("retry-after"), self._clock.now()))
        return Failed(reason, is_final=True)
