"""Where log lines go: coloured for a terminal, one JSON object a line for journald and everybody else."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}


def configure(level: str, *, stream: TextIO | None = None, is_journal: bool = False) -> None:
    """Log what is at least as grave as `level`; may be called again, for another level.

    Args:
        level: `debug`, `info`, `warning` or `error`.
        stream: Where to; stderr when not given.
        is_journal: Begin each line with its priority as journald understands it (sd-daemon(3)).
    """
    out = stream or sys.stderr
    final: list[structlog.typing.Processor]
    if out.isatty():
        final = [structlog.dev.ConsoleRenderer()]
    else:
        final = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
        if is_journal:
            final = [_remember_priority, *final[:-1], _with_priority(final[-1])]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *final,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(out),
        # Loggers made before a reload must take the new level too.
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=out, format="%(levelname)s %(name)s: %(message)s", force=True)


def _remember_priority(logger: object, name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event["_priority"] = _PRIORITIES.get(str(event.get("level")), 6)
    return event


def _with_priority(render: structlog.typing.Processor) -> structlog.typing.Processor:
    def rendered(logger: object, name: str, event: structlog.typing.EventDict) -> str:
        priority = event.pop("_priority")
        return f"<{priority}>{render(logger, name, event)!s}"

    return rendered
