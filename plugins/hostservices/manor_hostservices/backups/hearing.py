"""What restic says while it works: lines of JSON where it has them, else text."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from manor_hostservices.jobs.ledger import LINE_LIMIT
from manor_hostservices.jobs.reporting import Report

KEPT_LINES = 40
"""Of the end of what it said: enough to say why it failed."""


class Hearing:
    """Takes restic's lines, and tells a job's report what they say.

    Args:
        report: Is told; None tells nobody.
        redact: Takes secrets out of a line.

    Attributes:
        said: The newest lines of text, secrets taken out.
        troubles: How many files it had trouble with.
        summary: What it says at its end; empty without.
    """

    def __init__(self, report: Report | None, redact: Callable[[str], str]) -> None:
        self._report = report
        self._redact = redact
        self.said: deque[str] = deque(maxlen=KEPT_LINES)
        self.troubles = 0
        self.summary: dict[str, Any] = {}

    def __call__(self, line: str) -> None:
        """Take a line."""
        message = _message(line)
        match message.get("message_type"):
            case "status":
                self._progress(message)
            case "summary":
                self._finish(message)
            case "error":
                self.troubles += 1
                self._text(f"{message.get('item', '')}: {_inner(message)}")
            case "exit_error":
                self._text(str(message.get("message", "")))
            case None:
                self._text(line)
            case _:
                return  # which file it is at, from its more talkative versions

    def _progress(self, message: dict[str, Any]) -> None:
        if self._report is None:
            return
        done, total = message.get("bytes_done", message.get("bytes_restored")), message.get("total_bytes")
        self._report.progress(
            float(message.get("percent_done") or 0.0),
            bytes_done=done,
            bytes_total=total,
            seconds_left=message.get("seconds_remaining"),
        )

    def _finish(self, message: dict[str, Any]) -> None:
        self.summary = message
        size = message.get("total_bytes_processed", message.get("total_bytes"))
        if self._report is not None and isinstance(size, int):
            # A backup that is quick is over before it says how far it is.
            self._report.progress(1.0, bytes_done=size, bytes_total=size)

    def _text(self, line: str) -> None:
        # Cut behind what is taken out: half a secret would not be known for one.
        text = self._redact(line.strip())[:LINE_LIMIT]
        if not text:
            return
        self.said.append(text)
        if self._report is not None:
            self._report.log(text)


def _message(line: str) -> dict[str, Any]:
    if not line.startswith("{"):
        return {}
    try:
        decoded = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


def _inner(message: dict[str, Any]) -> str:
    error = message.get("error")
    return str(error.get("message", error) if isinstance(error, dict) else error)
