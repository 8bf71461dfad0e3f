"""From what is installed and what the admin wrote to plugins that are made and a table of their routes.

Synchronous, and without a disk: `manor openapi` and `manor routes` come through here too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import structlog

from manor import health, openapi
from manor.assets import core_assets, site_routes
from manor.clock import SystemClock
from manor.config import (
    Loaded,
    Misread,
    Server,
    Setting,
    TcpBind,
    decode_plugin,
    load,
    parse_bind,
    plugin_enabled,
    read_plugin,
    tier_limits,
    unknown_plugins,
)
from manor.config import settings as config_settings
from manor.discovery import Found, Plugin, State, discover, imported, make, told
from manor.errors import AdminFault, Faults, ManorError, Problem
from manor.events import Bus
from manor.matching import CORE, RouteTable
from manor.metrics import Metrics
from manor.outbox import Outbox
from manor.pages import front_page
from manor.plugins import PluginContext
from manor.routing import Route
from manor.services import Services, connect, connect_core, make_services
from manor.tasks import contained

if TYPE_CHECKING:
    from manor.storage import Storage


def choose(loaded: Loaded, found: Sequence[Found], *, every: bool = False) -> list[Plugin]:
    """Import what takes part, and decode its configuration to see that it can.

    Args:
        loaded: What the admin wrote.
        found: What is installed.
        every: Take all installed plugins, whatever the admin says: to describe them.

    Raises:
        AdminFault: Every plugin's table that cannot be decoded, tables of plugins that are not installed, and whatever
            else `check` finds then.
    """
    faults = Faults()
    plugins = _chosen(loaded, found, faults, every=every)
    if faults.problems and not every:
        # A start is refused in any case: what else is wrong is told with it.
        with faults.gathered():
            check(loaded, found)
    faults.tell()
    return plugins


def _chosen(loaded: Loaded, found: Sequence[Found], faults: Faults, *, every: bool = False) -> list[Plugin]:
    faults.add(unknown_plugins(loaded, [plugin.name for plugin in found]))
    plugins: list[Plugin] = []
    for candidate in found:
        # A plugin that is switched off is not even imported: it may be switched off because it cannot be.
        if not every and not plugin_enabled(loaded, candidate.name, True):
            plugins.append(Plugin(candidate))
            continue
        plugin = imported(candidate)
        plugins.append(plugin)
        if plugin.state is State.QUARANTINED:
            continue
        if not every and not plugin_enabled(loaded, plugin.name, plugin.enabled_by_default):
            continue
        plugin.state = State.ENABLED
        with faults.gathered():
            decode_plugin(loaded, plugin.name, plugin.config_type)
    return plugins


def furnish(plugins: Iterable[Plugin], loaded: Loaded, services: Services) -> None:
    """Make every enabled plugin with a context of its own, and ask it what it brings."""
    for plugin in plugins:
        if not plugin.is_running:
            continue
        make(plugin, _context(plugin, decode_plugin(loaded, plugin.name, plugin.config_type), loaded, services))


def _context(plugin: Plugin, config: Any, loaded: Loaded, services: Services) -> PluginContext[Any]:
    return PluginContext(
        name=plugin.name,
        config=config,
        storage=services.storage,
        bus=services.bus,
        identity=services.identity,
        live=services.live,
        outbox=services.outbox,
        outgoing=services.outgoing,
        mail=services.mail,
        blobs=services.blobs.for_plugin(plugin.name),
        limits=services.limits,
        metrics=services.metrics.for_plugin(plugin.name),
        audit=services.audit,
        clock=services.clock,
        log=structlog.get_logger(f"manor.{plugin.name}", plugin=plugin.name),
        data_dir=loaded.data_dir / plugin.name,
        public_url=loaded.config.server.public_url.rstrip("/"),
        frontend_url=loaded.config.server.frontend_url.rstrip("/"),
        link_url=_link_url(loaded.config.server),
        tiers=services.tiers,
        routes=services.routes,
    )


def _link_url(server: Server) -> str:
    """Never what a request's Host says: whoever asks for somebody else's link must not choose where it leads."""
    if server.public_url:
        return server.public_url.rstrip("/")
    scheme = "https" if server.tls_cert is not None else "http"
    for bind in map(parse_bind, server.bind):
        if isinstance(bind, TcpBind):
            host = "localhost" if bind.host in ("", "0.0.0.0", "::") else bind.host  # noqa: S104 - compared
            return f"{scheme}://{f'[{host}]' if ':' in host else host}{f':{bind.port}' if bind.port else ''}"
    return f"{scheme}://localhost"


def refurnish(plugins: Iterable[Plugin], loaded: Loaded) -> None:
    """Give the plugins their configuration anew, after a reload; only what they read through their context changes."""
    for plugin in plugins:
        if plugin.context is not None:
            plugin.context.config = decode_plugin(loaded, plugin.name, plugin.config_type)


def core_routes(
    table: RouteTable, readiness: Callable[[], Awaitable[health.Readiness]], metrics: Metrics
) -> list[Route]:
    """What the daemon serves without any plugin: health, metrics, and the description of all routes."""
    assets = core_assets()
    described = openapi.routes(lambda: openapi.describe(table), assets)
    return [*health.routes(readiness, metrics), *described, *site_routes(assets)]


def lay_out(plugins: Iterable[Plugin], table: RouteTable) -> None:
    """Put the plugins' routes into the table, and a front page when none of them serves one.

    Raises:
        AdminFault: Two plugins serve one route; only the admin can say which of them goes.
    """
    for plugin in plugins:
        if plugin.is_running:
            faults = table.add(plugin.name, plugin.brought.routes)
            if faults:
                plugin.quarantine("manor_routes: " + "; ".join(faults))
    table.add(CORE, front_page({owned.route.path for owned in table if owned.route.method == "GET"}))
    collisions = table.collisions()
    if collisions:
        raise AdminFault([Problem(problem.where or "routes", problem.what) for problem in collisions])


# --- Without a house -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Description:
    """What a house would be: its plugins as far as they can be made without starting them, and its routes."""

    plugins: list[Plugin]
    table: RouteTable


class _NoStorage:
    """Stands where storage will be; a plugin that reaches for it while it is made has a side effect, and is told so."""

    def __getattr__(self, name: str) -> Any:
        raise ManorError(f"storage.{name} is used before the house is open")


def describe(loaded: Loaded, *, every: bool = False) -> Description:
    """Make the plugins and their routes, without a disk, a port or a running daemon.

    Args:
        loaded: What the admin wrote.
        every: All installed plugins, whether they are enabled or not.

    Raises:
        AdminFault: As at a start.
    """
    plugins = choose(loaded, discover(loaded.config.server.plugin_folders), every=every)
    services = _services(loaded)
    furnish(plugins, loaded, services)
    services.routes.add(CORE, core_routes(services.routes, _never_ready, services.metrics))
    lay_out(plugins, services.routes)
    return Description(plugins, services.routes)


def _services(loaded: Loaded) -> Services:
    bus, clock = Bus(), SystemClock()
    return make_services(
        loaded,
        storage=cast("Storage", _NoStorage()),
        bus=bus,
        outbox=Outbox(bus, clock),
        metrics=Metrics(),
        clock=clock,
    )


async def _never_ready() -> health.Readiness:
    return health.Readiness("starting", [])


def read(path: Path | None, environ: Mapping[str, str], found: Sequence[Found] | None = None) -> Loaded:
    """Load the configuration for a start: what is wrong with it is told together with what plugins find wrong.

    Args:
        path: The config file; see `manor.config.load`.
        environ: Variables such as `MANOR_SERVER__BIND`.
        found: The installed plugins; those of the entry points and plugin folders when not given.

    Raises:
        AdminFault: With every problem of every file, variable and plugin.
    """
    try:
        return load(path, environ)
    except Misread as fault:
        faults = Faults()
        faults.add(fault.problems)
        if fault.loaded is not None:
            with faults.gathered():
                check(fault.loaded, found)
        raise AdminFault(faults.problems) from None


def check(loaded: Loaded, found: Sequence[Found] | None = None) -> list[Problem]:
    """Find everything that would stop the start or quarantine a plugin, without starting anything.

    A plugin whose table is wrong is made with defaults in place of what is wrong, to see its routes and limits.

    Args:
        loaded: What the admin wrote.
        found: The installed plugins; those of the entry points and plugin folders when not given.

    Returns:
        What stops nothing, and is hardly what the admin meant.

    Raises:
        AdminFault: With all of it.
    """
    faults = Faults()
    found = discover(loaded.config.server.plugin_folders) if found is None else found
    plugins = _chosen(loaded, found, faults)
    services = _services(loaded)
    enabled = [plugin for plugin in plugins if plugin.is_running]
    for plugin in enabled:
        _try_out(plugin, loaded, services)
    services.routes.add(CORE, core_routes(services.routes, _never_ready, services.metrics))
    with faults.gathered():
        lay_out(plugins, services.routes)
    if all(plugin.instance is not None for plugin in enabled):
        # Else a limit that seems unknown may be one of a plugin that could not be asked.
        with faults.gathered():
            tier_limits(loaded, [limit for plugin in plugins for limit in plugin.brought.tier_limits])
    connect_core(services)
    for plugin in enabled:
        if plugin.is_running:
            with contained(lambda error, plugin: plugin.quarantine(told(error)), plugin):
                connect(plugin, services)
    for misfit in services.bus.misfits():
        if not misfit.asked_by:
            next(plugin for plugin in plugins if plugin.name == misfit.owner).quarantine(misfit.reason)
    faults.add(misfits_asked_for(services.bus, loaded))
    with faults.gathered():
        refuse_faults(plugins)
    faults.tell()
    return unheard(services.bus, plugins, loaded)


def misfits_asked_for(bus: Bus, loaded: Loaded) -> list[Problem]:
    """Subscriptions that the admin asks for, to events that have not what is read of them."""
    return [_about(loaded, misfit.owner, misfit.asked_by, misfit.reason) for misfit in bus.misfits() if misfit.asked_by]


def unheard(bus: Bus, plugins: Iterable[Plugin], loaded: Loaded) -> list[Problem]:
    """Subscriptions to events that no installed plugin tells."""
    asleep = {plugin.name for plugin in plugins if not plugin.is_running}
    found = []
    for owned in bus.unheard(disabled=asleep):
        event, asked_by = owned.subscription.event, owned.subscription.asked_by
        what = f"no installed plugin tells '{event}'"
        found.append(
            _about(loaded, owned.owner, asked_by, what)
            if asked_by
            else Problem(f"plugin '{owned.owner}'", f"hears '{event}', and {what}")
        )
    return found


def _about(loaded: Loaded, owner: str, asked_by: str, what: str) -> Problem:
    key = f"plugins.{owner}.{asked_by}"
    return Problem(loaded.where(key), f"{key}: {what}")


def _try_out(plugin: Plugin, loaded: Loaded, services: Services) -> None:
    config, misfits = read_plugin(loaded, plugin.name, plugin.config_type)
    if config is not None:
        make(plugin, _context(plugin, config, loaded, services))
    if misfits and plugin.state is State.QUARANTINED:
        plugin.state = State.DISABLED  # what a made-up configuration leads to is nobody's fault


def settings(loaded: Loaded) -> list[Setting]:
    """Every setting of the core and of the plugins that can be imported, with where its value comes from."""
    plugins = choose(loaded, discover(loaded.config.server.plugin_folders), every=True)
    return config_settings(loaded, {plugin.name: plugin.config_type for plugin in plugins if plugin.factory})


def refuse_faults(plugins: Iterable[Plugin]) -> None:
    """Treat plugins' faults as errors: for tests and checks.

    Raises:
        AdminFault: Naming each quarantined plugin and its reason.
    """
    problems = [
        Problem(f"plugin '{plugin.name}'", plugin.reason) for plugin in plugins if plugin.state is State.QUARANTINED
    ]
    if problems:
        raise AdminFault(problems)
