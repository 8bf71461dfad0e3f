"""Where log lines go and what they look like; and what never stands in one.

For a person at a terminal in colours; for the journal one plain line with the priority that journald sorts by; for
everything else, a file or a container's collector, one JSON object a line.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

BLANK = "[blanked]"


class Open(str):
    """Text that is logged as it is, whatever it looks like.

    For the one secret that belongs into the log: a link that could not be mailed, for the admin to pass on.
    """

    __slots__ = ()


_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}

_SECRET_NAME = re.compile(
    r"(?:^|[_-])(?:password|passwd|passphrase|secret|token|authorization|cookie|api[_-]?key|otp|recovery[_-]?code)s?$",
    re.IGNORECASE,
)
# What a secret looks like inside other text, such as a URL in an exception: after its scheme, as a query parameter,
# between a URL's name and its @, or a JWT as such. Group 1 stays.
_SECRET_TEXT = re.compile(
    r"(\b(?:bearer|basic)\s+)(?=\S*[\d=_])[\w.~+/=-]{6,}"
    r"|((?:^|[?&\s])(?:access_token|api_?key|auth|key|password|secret|token)=)[^&\s\"'>]+"
    r"|(\b[a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s/@]+(?=@)"
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]+",
    re.IGNORECASE,
)


def configure(level: str, *, stream: TextIO | None = None, is_journal: bool = False, as_json: bool = False) -> None:
    """Log what is at least as grave as `level`; may be called again, for another level.

    The standard library's loggers, which dependencies use, come the same way from warnings on.

    Args:
        level: `debug`, `info`, `warning` or `error`.
        stream: Where to; stderr when not given.
        is_journal: Write for journald (see `leads_to_journal`).
        as_json: Write JSON whatever the stream is.
    """
    out = stream or sys.stderr
    shared: list[Processor] = [structlog.contextvars.merge_contextvars, structlog.processors.add_log_level]
    if as_json or not (is_journal or out.isatty()):
        stamp = [structlog.processors.TimeStamper(fmt="iso", utc=True)]
        render: Processor = structlog.processors.JSONRenderer(default=str)
    elif is_journal:
        stamp = []
        render = render_for_journal
    else:
        stamp = [structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)]
        # The plain one: a richer traceback shows local variables, and with them secrets.
        render = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    shared += [*stamp, structlog.processors.format_exc_info, blank_secrets]
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", Undisturbed(out))),
        # Loggers made before a reload must take the new level too.
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, blank_secrets, render],
        )
    )
    logging.basicConfig(level=max(LEVELS[level], logging.WARNING), handlers=[handler], force=True)


class Undisturbed:
    """A stream for lines that may be lost: when nobody reads it any more, or its disk is full, whoever logs goes on.

    Args:
        stream: Where they go.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: str) -> None:
        """Write a line, if that can be."""
        with suppress(OSError, ValueError):
            self._stream.write(line)

    def flush(self) -> None:
        """Let it go."""
        with suppress(OSError, ValueError):
            self._stream.flush()


def log_to_stderr(level: str = "info") -> None:
    """Log as the daemon does, from a program of a plugin's own; to the journal when systemd runs it."""
    configure(level, is_journal=leads_to_journal(sys.stderr, os.environ))


def leads_to_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether a stream is the one that systemd connected to the journal (systemd.exec(5), `$JOURNAL_STREAM`)."""
    device, _, inode = environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return (device, inode) == (str(status.st_dev), str(status.st_ino))


def blank_secrets(logger: object, method: str, event: EventDict) -> EventDict:
    """Take passwords, tokens and the like out of a log line: by the name of a value, and by its looks in any text."""
    return {name: _blanked(value) if _is_open(name) else BLANK for name, value in event.items()}


def render_for_journal(logger: object, method: str, event: EventDict) -> str:
    """One line: priority as journald reads it (sd-daemon(3)), what happened, then `name=value` pairs."""
    level = str(event.pop("level", "info"))
    message = str(event.pop("event", "")).replace("\n", "\\n")
    pairs = _PAIRS(None, method, event)
    return f"<{_PRIORITIES.get(level, 6)}>{message}{' ' if pairs else ''}{pairs}"


_PAIRS = structlog.processors.LogfmtRenderer(sort_keys=False)


def _is_open(name: str) -> bool:
    return _SECRET_NAME.search(name) is None


def _blanked(value: Any) -> Any:
    match value:
        case Open():
            return value
        case str():
            return _SECRET_TEXT.sub(_keep_introduction, value)
        case Mapping():
            return {key: _blanked(each) if _is_open(str(key)) else BLANK for key, each in value.items()}
        case Sequence() if not isinstance(value, bytes | bytearray):
            return [_blanked(each) for each in value]
        case _:
            return value


def _keep_introduction(found: re.Match[str]) -> str:
    return next((group for group in found.groups() if group), "") + BLANK
