"""Commands by name, imported when they are used: `manor --help` must not wait for a database engine."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, NamedTuple

import click

from manor.cli.failures import Failure, failure_of

GROUP = "manor.commands"


class Lazy(NamedTuple):
    """A command that is not imported yet: where it is, and the line that `--help` shows for it."""

    path: str
    help: str


class LazyGroup(click.Group):
    """A group that imports a command when it runs, and turns expected errors into exit codes.

    Args:
        lazy: The core's commands by name.
        plugins: Whether plugins bring commands too, by entry points in the group `manor.commands`.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, Lazy], plugins: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = lazy
        self._plugins = plugins

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, without importing anything."""
        return sorted({*super().list_commands(ctx), *self._lazy, *self._points()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if (lazy := self._lazy.get(cmd_name)) is not None:
            module, _, name = lazy.path.partition(":")
            command: click.Command = getattr(import_module(module), name)
            return command
        if (point := self._points().get(cmd_name)) is not None:
            return _loaded(point)
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands; those of plugins by where they come from, for their own words would cost an import."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.help) for name, lazy in sorted(self._lazy.items())])
        if points := self._points():
            with formatter.section("Commands of plugins (manor COMMAND --help says what they do)"):
                rows = [(name, f"by {point.module.partition('.')[0]}") for name, point in sorted(points.items())]
                formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an expected error ends it with a sentence and its code."""
        try:
            return super().invoke(ctx)
        except (Exception, KeyboardInterrupt, BaseExceptionGroup) as error:  # the edge: what is not ours rises as it is
            ending = failure_of(error)
            if ending is error:
                raise
            raise ending from error

    def _points(self) -> dict[str, EntryPoint]:
        if not self._plugins:
            return {}
        points: dict[str, EntryPoint] = {}
        for point in entry_points(group=GROUP):
            twin = points.setdefault(point.name, point)
            if twin.value != point.value:
                raise Failure(f"'manor {point.name}' is brought by both {twin.value} and {point.value}")
        return {name: point for name, point in points.items() if name not in self._lazy}


def _loaded(point: EntryPoint) -> click.Command:
    try:
        command = point.load()
    except Exception as error:  # a stranger's module can raise anything while it is imported
        raise Failure(f"'manor {point.name}' cannot be loaded from {point.value}: {error}") from error
    if not isinstance(command, click.Command):
        raise Failure(f"'manor {point.name}': {point.value} is not a click command")
    return command
