"""Finding plugins, making them, and asking each of them what it brings: whose fault is whose.

A plugin's fault never stops the house: it quarantines the plugin, with a reason. Nothing here raises for one.
"""

from __future__ import annotations

import enum
import sys
import tomllib
import traceback
import types
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_origin

import msgspec
import pluggy

from manor import hookspecs
from manor.auth import Authenticator
from manor.errors import AdminFault, ManorError, Problem
from manor.events import Event, Subscription
from manor.outbox import JobHandler
from manor.plugins import Command, HealthCheck, NoConfig, PersonalData, ScopeDeclaration, TierLimit
from manor.routing import Route
from manor.storage import Migration
from manor.tasks import BackgroundTask, contained, describe

if TYPE_CHECKING:
    from manor.plugins import PluginContext

GROUP = "manor.plugins"


class State(enum.Enum):
    """How a plugin fares."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    QUARANTINED = "quarantined"


@dataclass(frozen=True)
class Found:
    """An installed plugin, not imported yet."""

    name: str
    source: str
    load: Callable[[], type[Any]]


@dataclass
class Brought:
    """The answers to all hooks."""

    routes: list[Route] = field(default_factory=list)
    event_types: list[type[Event]] = field(default_factory=list)
    subscriptions: list[Subscription[Any]] = field(default_factory=list)
    background_tasks: list[BackgroundTask] = field(default_factory=list)
    jobs: list[JobHandler[Any]] = field(default_factory=list)
    migrations: list[Migration] = field(default_factory=list)
    authenticators: list[Authenticator] = field(default_factory=list)
    scopes: list[ScopeDeclaration] = field(default_factory=list)
    tier_limits: list[TierLimit] = field(default_factory=list)
    health_checks: list[HealthCheck] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    lifespan: Callable[[], AbstractAsyncContextManager[None]] | None = None
    personal_data: PersonalData | None = None


@dataclass
class Plugin:
    """One plugin in this house: its state, the reason for it, and what it brought."""

    found: Found
    state: State = State.DISABLED
    reason: str = ""
    factory: type[Any] | None = None
    context: PluginContext[Any] | None = None
    instance: Any = None
    brought: Brought = field(default_factory=Brought)

    @property
    def name(self) -> str:
        """The plugin's name."""
        return self.found.name

    @property
    def is_running(self) -> bool:
        """Whether it takes part."""
        return self.state is State.ENABLED

    @property
    def config_type(self) -> type[msgspec.Struct]:
        """The struct of its table in the configuration."""
        return getattr(self.factory, "Config", NoConfig)

    @property
    def enabled_by_default(self) -> bool:
        """Whether it takes part when the admin says nothing."""
        return bool(getattr(self.factory, "enabled_by_default", False))

    @property
    def package(self) -> str:
        """The Python package it lives in, to name it in a stack."""
        return self.factory.__module__.partition(".")[0] if self.factory else ""

    def quarantine(self, reason: str) -> None:
        """Take it out of the house; the first reason stays."""
        if self.state is not State.QUARANTINED:
            self.state = State.QUARANTINED
            self.reason = reason


_LISTS: dict[str, type[Any]] = {
    "routes": Route,
    "event_types": type,
    "subscriptions": Subscription,
    "background_tasks": BackgroundTask,
    "jobs": JobHandler,
    "migrations": Migration,
    "authenticators": Authenticator,
    "scopes": ScopeDeclaration,
    "tier_limits": TierLimit,
    "health_checks": HealthCheck,
    "commands": Command,
}


def discover(folders: Iterable[Path] = ()) -> list[Found]:
    """All installed plugins, by entry point and in the admin's plugin folders, in the order of their names.

    A plugin folder holds projects as `manor plugins new` makes them: each with a `pyproject.toml` that names an entry
    point in the group `manor.plugins`.

    Raises:
        AdminFault: A folder is missing, a `pyproject.toml` cannot be read, or two plugins have one name.
    """
    found = [_from_entry_point(point, f"{point.dist.name} {point.dist.version}" if point.dist else point.value)
             for point in entry_points(group=GROUP)]  # fmt: skip
    problems: list[Problem] = []
    for folder in folders:
        if not folder.is_dir():
            problems.append(Problem("server.plugin_folders", f"{folder} is not a folder"))
            continue
        for project in sorted(folder.glob("*/pyproject.toml")):
            try:
                found += _from_project(project)
            except (OSError, tomllib.TOMLDecodeError) as error:
                problems.append(Problem(str(project), str(error)))
    by_name: dict[str, Found] = {}
    for plugin in found:
        twin = by_name.setdefault(plugin.name, plugin)
        if twin.source != plugin.source:
            problems.append(Problem(f"plugin '{plugin.name}'", f"found twice: {twin.source} and {plugin.source}"))
    if problems:
        raise AdminFault(problems)
    return [by_name[name] for name in sorted(by_name)]


def _from_entry_point(point: EntryPoint, source: str) -> Found:
    return Found(point.name, source, point.load)


def _from_project(pyproject: Path) -> list[Found]:
    table = tomllib.loads(pyproject.read_text())
    points = table.get("project", {}).get("entry-points", {}).get(GROUP, {})
    project = pyproject.parent

    def load(value: str) -> Callable[[], type[Any]]:
        def at_start() -> type[Any]:
            if str(project) not in sys.path:
                sys.path.append(str(project))
            loaded: type[Any] = EntryPoint("", value, GROUP).load()
            return loaded

        return at_start

    return [Found(name, str(project), load(value)) for name, value in points.items()]


def imported(found: Found) -> Plugin:
    """Import the plugin's class; a failing import quarantines it."""
    plugin = Plugin(found)
    with contained(lambda error: plugin.quarantine(f"import failed: {told(error)}")):
        plugin.factory = found.load()
    return plugin


def make(plugin: Plugin, context: PluginContext[Any]) -> None:
    """Make the instance and ask every hook once; whatever goes wrong quarantines the plugin."""
    assert plugin.factory is not None
    with contained(lambda error: plugin.quarantine(told(error))):
        plugin.context = context
        plugin.instance = plugin.factory(context)
        plugin.brought = ask(plugin.name, plugin.instance)


class _Hooks(pluggy.PluginManager):
    """Looks for hooks where they may be: what every object has takes longer to look through than all the rest."""

    def parse_hookimpl_opts(self, plugin: object, name: str) -> pluggy.HookimplOpts | None:
        return None if name.startswith("__") else super().parse_hookimpl_opts(plugin, name)

    def parse_hookspec_opts(self, module_or_class: types.ModuleType | type, name: str) -> pluggy.HookspecOpts | None:
        return None if name.startswith("__") else super().parse_hookspec_opts(module_or_class, name)


def ask(name: str, instance: object) -> Brought:
    """What a plugin brings.

    Raises:
        ManorError: A hook raised, is misspelt, or returned something else than its specification says.
    """
    manager = _Hooks("manor")
    manager.add_hookspecs(hookspecs)
    manager.register(instance, name)
    manager.check_pending()
    brought = Brought()
    for kind, wanted in _LISTS.items():
        setattr(brought, kind, _ask_list(manager, f"manor_{kind}", wanted))
    brought.lifespan = _ask(manager, "manor_lifespan")
    brought.personal_data = _ask(manager, "manor_personal_data")
    return brought


def _ask(manager: pluggy.PluginManager, hook: str) -> Any:
    """One plugin's answer to one hook; None when it does not implement it."""
    failures: list[Exception] = []
    with contained(failures.append):
        answers = getattr(manager.hook, hook)()
        return answers[0] if answers else None
    raise ManorError(f"{hook} raised {told(failures[0])}") from failures[0]


def _ask_list(manager: pluggy.PluginManager, hook: str, wanted: type[Any]) -> list[Any]:
    answer = _ask(manager, hook)
    if answer is None:
        return []
    if isinstance(answer, (str, bytes)) or not isinstance(answer, Sequence):
        raise ManorError(f"{hook} returned {type(answer).__name__}, expected a list of {wanted.__name__}")
    for item in answer:
        if not isinstance(item, get_origin(wanted) or wanted):
            raise ManorError(f"{hook} returned a list with {item!r}, expected {wanted.__name__}")
    return list(answer)


def told(error: BaseException) -> str:
    """An exception in one line for an admin: its type, its text, and the place it was raised at.

    An error of ours is its text: it was written to be read.
    """
    if isinstance(error, (ManorError, pluggy.PluginValidationError)):
        return " ".join(str(error).split())
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return " ".join(describe(error).split()) + place
