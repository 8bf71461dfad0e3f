"""The `manor` command: each subcommand calls one thing below and prints.

Plugins' commands may use what this package exports; it imports nothing heavy at the top.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import click

from manor.cli.failures import Failure, Misuse, NoPermission, Unavailable, refusal
from manor.cli.group import Lazy, LazyGroup
from manor.cli.options import config_option, json_option, print_json, print_table, url_option

__all__ = [
    "Failure",
    "Misuse",
    "NoPermission",
    "Unavailable",
    "call_house",
    "config_option",
    "json_option",
    "main",
    "print_json",
    "print_table",
    "refusal",
    "url_option",
]

R = TypeVar("R")

COMMANDS = {
    "audit": Lazy("manor.cli.audit:audit", "The audit log."),
    "config": Lazy("manor.cli.config:config", "Check and show the configuration."),
    "openapi": Lazy("manor.cli.routes:openapi", "Print the OpenAPI description."),
    "outbox": Lazy("manor.cli.outbox:outbox", "Deferred work and deliveries that wait or failed."),
    "plugins": Lazy("manor.cli.plugins:plugins", "List, enable, disable, make and purge plugins."),
    "routes": Lazy("manor.cli.routes:routes", "List what the enabled plugins serve."),
    "selftest": Lazy("manor.cli.selftest:selftest", "Prove promises on this machine."),
    "serve": Lazy("manor.cli.serve:serve", "Run the daemon."),
    "token": Lazy("manor.cli.token:token", "Credentials that are made here."),
    "user": Lazy("manor.cli.user:user", "People on this server."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS, plugins=True)
@click.version_option(package_name="manor", message="%(prog)s %(version)s")
def main() -> None:
    """Manor: notifications, chat, live video and the server itself, from one daemon."""


def call_house(
    config: Path | None, command: str, arguments: Any, returns: type[R], *, seconds: float | None = None
) -> R:
    """Run a house command from the shell, with the daemon stopped or running.

    Args:
        config: What `--config` gave.
        command: Its name, such as `topics.create`.
        arguments: The struct that it takes.
        returns: The struct that it answers with.
        seconds: How long it may take, where the command declares that.

    Raises:
        AdminFault: The configuration is wrong.
        Failure: The command said no; with 69, a process has the house open and does not answer.
    """
    from manor.control import CommandRefused, NoAnswer
    from manor.control import call_house as call

    patience = {} if seconds is None else {"seconds": seconds}
    try:
        return call(config, command, arguments, returns, **patience)
    except NoAnswer as error:
        raise Unavailable(str(error)) from error
    except CommandRefused as error:
        raise refusal(error.status, error.detail) from error
