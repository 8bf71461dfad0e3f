"""How commands fail: a sentence on stderr and an exit code that a script can tell apart, never a traceback."""

from __future__ import annotations

import sys
from typing import IO, Any

import click

from manor.errors import AdminFault, ManorError, Refused

INTERRUPTED = 130
"""Ctrl-C, as shells say it: 128 and the signal's number."""


class Failure(click.ClickException):
    """It did not work; the sentence says why. Exit code 1; those below say more."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the sentence as it is: lists of problems keep one a line."""
        click.echo(self.format_message(), file=file or sys.stderr)


class Misuse(Failure):
    """The command was called in a way that makes no sense."""

    exit_code = 2


class Unavailable(Failure):
    """The daemon cannot be reached, or says not now (EX_UNAVAILABLE)."""

    exit_code = 69


class NoPermission(Failure):
    """This user, or this credential, may not (EX_NOPERM)."""

    exit_code = 77


class Misconfigured(Failure):
    """The configuration is wrong; every problem is listed, one a line (EX_CONFIG)."""

    exit_code = 78


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
            return Misconfigured(str(error))
        case Refused(status=status, detail=detail):
            return refusal(status, detail)
        case ManorError():
            return Failure(str(error))
        case PermissionError():
            return NoPermission(f"{error.filename or 'not permitted'}: {error.strerror}")
        case _:
            return error


def refusal(status: int, detail: str) -> Failure:
    """The failure that an HTTP status stands for."""
    match status:
        case 401 | 403:
            return NoPermission(detail)
        case 502 | 503 | 504:
            return Unavailable(detail)
        case _:
            return Failure(detail)
