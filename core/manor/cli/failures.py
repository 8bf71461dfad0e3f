"""How commands fail: a sentence on stderr and an exit code that a script can tell apart, never a traceback."""

from __future__ import annotations

import sys
from typing import IO, Any

import click

from manor.errors import AdminFault, ManorError, Refused

FAILED = 1
USAGE = 2
UNAVAILABLE = 69
"""EX_UNAVAILABLE: the daemon cannot be reached, or says not now."""
NO_PERMISSION = 77
"""EX_NOPERM: this user, or this credential, may not."""
CONFIGURATION = 78
"""EX_CONFIG: the configuration is wrong; every problem is listed, one a line."""
INTERRUPTED = 130
"""Ctrl-C, as shells say it: 128 and the signal's number."""


class Failure(click.ClickException):
    """An end with a sentence and an exit code."""

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the sentence as it is: lists of problems keep one a line."""
        click.echo(self.format_message(), file=file or sys.stderr)


def unavailable(message: str) -> Failure:
    """The daemon cannot be reached: exit 69."""
    return Failure(message, UNAVAILABLE)


def failure_of(error: BaseException) -> BaseException:
    """How an expected error ends a command; any other error is returned as it is, to be seen with its traceback."""
    match error:
        case BaseExceptionGroup(exceptions=inside):
            endings = [failure_of(each) for each in inside]
            expected = all(isinstance(ending, (click.ClickException, click.exceptions.Exit)) for ending in endings)
            return endings[0] if expected or len(endings) == 1 else error
        case KeyboardInterrupt():
            return click.exceptions.Exit(INTERRUPTED)
        case AdminFault():
            return Failure(str(error), CONFIGURATION)
        case Refused(status=status, detail=detail):
            return Failure(detail, code_of(status))
        case ManorError():
            return Failure(str(error))
        case PermissionError():
            return Failure(f"{error.filename or 'permission'}: {error.strerror}", NO_PERMISSION)
        case _:
            return error


def code_of(status: int) -> int:
    """The exit code for an HTTP status."""
    match status:
        case 401 | 403:
            return NO_PERMISSION
        case 502 | 503 | 504:
            return UNAVAILABLE
        case _:
            return FAILED
