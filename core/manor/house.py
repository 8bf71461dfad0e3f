"""The house: everything a daemon needs except its doors, opened and closed as one.

`open_house` goes load → check → migrate → start; leaving it stops all. The admin's faults stop the start, listed all
at once; a plugin's faults quarantine it and the rest opens.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

import structlog
import trio

from manor import assembly, audit, health, identity, outbox
from manor.assembly import choose, core_routes, furnish, lay_out, refurnish, refuse_faults
from manor.clock import Clock, SystemClock
from manor.config import Loaded, differences, tier_limits
from manor.core_commands import core_commands
from manor.discovery import Found, Plugin, State, discover, told
from manor.dispatch import Dispatcher, Settings
from manor.errors import Faults, NotFound
from manor.events import Bus
from manor.live import LiveService
from manor.lock import locked
from manor.matching import CORE
from manor.metrics import CoreMetrics, Metrics
from manor.outbox import Outbox
from manor.plugins import TierLimit
from manor.retention import Retention
from manor.services import Services, connect, connect_core, disconnect, make_services
from manor.storage import MigrationFailed, Storage, apply_migrations, open_storage
from manor.tasks import BackgroundTask, LoopWatch, contained, supervise

log = structlog.get_logger("manor.house")

PLUGIN_SECONDS = 30.0
"""How long a plugin may take to start before it is quarantined."""

STOP_SECONDS = 5.0
"""How long the plugins may take to stop before they are left behind."""

MOST_TROUBLES = 100
"""How many troubles `/readyz` lists; a plugin that finds new words every time does not fill the memory."""

OUT_OF_ORDER = "The plugin '{}' is out of order; /readyz says why"

CORE_MIGRATIONS = ((CORE, (*outbox.MIGRATIONS, *audit.MIGRATIONS)), ("identity", identity.MIGRATIONS))


class Phase(enum.Enum):
    """Where the house is in its life."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"


class House:
    """An open house, made by `open_house`.

    Attributes:
        loaded: The configuration in force.
        services: What plugins are lent: storage, bus, outbox, live, outgoing, mail, blobs, limits, identity, metrics,
            audit, clock.
        plugins: All installed plugins with their state and reason.
        dispatcher: What doors bring their requests to.
        commands: What admins do from the shell, by name.
        phase: Starting, ready or stopping.
        counted: The core's own metrics.
    """

    def __init__(self, loaded: Loaded, services: Services, plugins: Sequence[Plugin], counted: CoreMetrics) -> None:
        self.counted = counted
        self.loaded = loaded
        self.services = services
        self.plugins = tuple(plugins)
        self.commands = {command.name: command for command in core_commands(services, self.plugins, loaded.data_dir)}
        self.dispatcher = Dispatcher(services.routes, limits=services.limits, clock=services.clock)
        self.phase = Phase.STARTING
        self._troubles: dict[tuple[str, str], None] = {}
        self._over = trio.Event()

    @property
    def storage(self) -> Storage:
        """Transactions."""
        return self.services.storage

    @property
    def bus(self) -> Bus:
        """Events."""
        return self.services.bus

    @property
    def live(self) -> LiveService:
        """Channels and outlets."""
        return self.services.live

    @property
    def running(self) -> list[Plugin]:
        """The plugins that take part."""
        return [plugin for plugin in self.plugins if plugin.is_running]

    async def run_command(self, name: str, arguments: Any) -> Any:
        """Do what an admin asked for from the shell.

        Raises:
            NotFound: No enabled plugin brought such a command.
        """
        command = self.commands.get(name)
        if command is None:
            raise NotFound(f"there is no command '{name}'; is its plugin enabled?")
        return await command.run(arguments)

    async def readiness(self) -> health.Readiness:
        """What `/readyz` says."""
        degraded = [
            health.Degraded(plugin.name, plugin.reason) for plugin in self.plugins if plugin.state is State.QUARANTINED
        ]
        degraded += [health.Degraded(owner, reason) for owner, reason in self._troubles]
        if self.phase is not Phase.READY:
            return health.Readiness(self.phase.value, degraded)
        for plugin in self.running:
            for check in plugin.brought.health_checks:
                reason = await health.ask(check)
                if reason is not None:
                    degraded.append(health.Degraded(plugin.name, f"{check.name}: {reason}"))
        storage = await self.storage.check()
        if storage.trouble:
            return health.Readiness("unwritable", [*degraded, health.Degraded(CORE, storage.trouble)])
        if storage.is_low:
            degraded.append(health.Degraded(CORE, f"the disk is nearly full: {storage.free >> 20} MiB left"))
        return health.Readiness("ready", degraded)

    def reload(self, loaded: Loaded) -> list[str]:
        """Apply what may change while the house is open; returns the keys that need a restart.

        Raises:
            AdminFault: A plugin's table or a tier is wrong; nothing was applied.
        """
        shapes = {plugin.name: plugin.config_type for plugin in self.running}
        live, restart = differences(self.loaded, loaded, shapes)
        self.services.tiers.replace(tier_limits(loaded, _declared_limits(self.running)))
        self.services.limits.address_limit_factor = loaded.config.server.limits.address_limit_factor
        self.services.mail.apply(loaded.config.server.smtp)
        refurnish(self.running, loaded)
        self.dispatcher.apply(_settings(loaded))
        self.loaded = loaded
        log.info("configuration reloaded", applied=live, needs_restart=restart)
        return restart

    def quarantine(self, plugin: Plugin, reason: str) -> None:
        """Take a plugin out: its routes answer 503, its subscriptions are gone, the others go on."""
        if plugin.state is State.QUARANTINED:
            return
        plugin.quarantine(reason)
        disconnect(plugin, self.services)
        self.dispatcher.suspend(plugin.name, OUT_OF_ORDER.format(plugin.name))
        for name in [name for name, command in self.commands.items() if command in plugin.brought.commands]:
            del self.commands[name]
        log.error("plugin quarantined", plugin=plugin.name, reason=reason)

    def note_trouble(self, owner: str, reason: str) -> None:
        """Remember that a part of a plugin is out of order; it goes on without that part, and `/readyz` says so."""
        if len(self._troubles) < MOST_TROUBLES:
            self._troubles[owner, reason] = None

    async def close_streams(self) -> None:
        """Say goodbye: `/readyz` answers 503 from here on, and every stream ends with a reason."""
        self.phase = Phase.STOPPING
        await self.live.shut_down()

    # --- How it lives ----------------------------------------------------------------------------------------------

    async def move_in(self) -> None:
        """Make the tables, the plugins, and all that joins them; nothing of it runs yet.

        Raises:
            AdminFault: Two plugins serve one route, a tier has a limit that nobody declares, or an event lacks
                what the configuration asks of it.
            MigrationFailed: One of the core's own.
        """
        services, table = self.services, self.services.routes
        for owner, migrations in CORE_MIGRATIONS:
            await apply_migrations(services.storage, owner, migrations)
        furnish(self.plugins, self.loaded, services)
        for plugin in self.running:
            try:
                await apply_migrations(services.storage, plugin.name, plugin.brought.migrations)
            except MigrationFailed as failed:
                plugin.quarantine(str(failed))
        faults = table.add(CORE, core_routes(table, self.readiness, services.metrics))
        assert not faults, faults
        admins = Faults()
        with admins.gathered():
            lay_out(self.running, table)
        with admins.gathered():
            services.tiers.replace(tier_limits(self.loaded, _declared_limits(self.running)))
        admins.tell()
        connect_core(services)
        for plugin in self.running:
            with contained(lambda error, plugin: self.quarantine(plugin, told(error)), plugin):
                self._connect(plugin)
        admins.add(assembly.misfits_asked_for(self.bus, self.loaded))
        admins.tell()
        for misfit in self.bus.misfits():
            self.quarantine(next(plugin for plugin in self.plugins if plugin.name == misfit.owner), misfit.reason)
        for problem in assembly.unheard(self.bus, self.plugins, self.loaded):
            log.warning("nobody tells this event", where=problem.where, reason=problem.what)
        self.dispatcher = Dispatcher(
            table,
            limits=services.limits,
            clock=services.clock,
            authenticators=[kind for plugin in self.running for kind in plugin.brought.authenticators],
            settings=_settings(self.loaded),
        )
        for plugin in self.plugins:
            if plugin.state is State.QUARANTINED:
                self.dispatcher.suspend(plugin.name, OUT_OF_ORDER.format(plugin.name))
                log.error("plugin quarantined", plugin=plugin.name, reason=plugin.reason)
        self.dispatcher.prepare()

    def _connect(self, plugin: Plugin) -> None:
        connect(plugin, self.services)
        self.commands |= {command.name: command for command in plugin.brought.commands}

    async def live_in(self, nursery: trio.Nursery, *, serve: bool) -> None:
        """Start the plugins; without `serve` only their lifespans, which is what commands need."""
        for plugin in self.running:
            with trio.move_on_after(PLUGIN_SECONDS) as patience:
                await nursery.start(self._live, plugin, serve)
            if patience.cancelled_caught:
                self.quarantine(plugin, f"did not start within {PLUGIN_SECONDS:.0f} s")

    async def serve_in(self, nursery: trio.Nursery) -> None:
        """Start the services that plugins count on while the house serves."""
        await nursery.start(self.bus.run)
        await nursery.start(self.live.run)
        self.services.mail.announce()
        await self.services.identity.personal.resume()
        await nursery.start(self._supervised, CORE, BackgroundTask("outbox", self._run_outbox))
        box, audit_log = self.services.outbox, self.services.audit
        retention = Retention(self.storage, box, audit_log, lambda: self.loaded.config.server)
        await nursery.start(self._supervised, CORE, BackgroundTask("retention", retention.run))
        for task in self.services.identity.background_tasks():
            await nursery.start(self._supervised, "identity", task)
        await nursery.start(
            LoopWatch({plugin.package: plugin.name for plugin in self.running}, metrics=self.counted).run
        )

    async def move_out(self, nursery: trio.Nursery) -> None:
        """End the streams with a reason, then let the plugins leave; who stays too long is left behind."""
        nursery.cancel_scope.deadline = trio.current_time() + STOP_SECONDS
        if self.phase is not Phase.STOPPING:
            await self.close_streams()
        self._over.set()

    async def _run_outbox(self) -> None:
        await self.services.outbox.run(self.storage)

    async def _live(
        self, plugin: Plugin, serve: bool, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """One plugin's life: its lifespan around its tasks, in a nursery of its own, until the house closes."""
        lifespan = plugin.brought.lifespan
        is_started = False
        with contained(lambda error: self.quarantine(plugin, f"manor_lifespan: {told(error)}")):
            around: AbstractAsyncContextManager[None] = nullcontext() if lifespan is None else lifespan()
            async with around, trio.open_nursery() as nursery:
                for task in plugin.brought.background_tasks if serve else ():
                    await nursery.start(self._supervised, plugin.name, task)
                is_started = True
                task_status.started()
                await self._over.wait()
                nursery.cancel_scope.cancel()
        if not is_started:
            task_status.started()

    async def _supervised(
        self, owner: str, task: BackgroundTask, *, task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED
    ) -> None:
        def tell(owner: str, task: str, reason: str) -> None:
            self.note_trouble(owner, f"the task '{task}' {reason}")

        await supervise(owner, task, on_trouble=tell, task_status=task_status)


def _declared_limits(plugins: Sequence[Plugin]) -> list[TierLimit]:
    return [limit for plugin in plugins for limit in plugin.brought.tier_limits]


def _settings(loaded: Loaded) -> Settings:
    server = loaded.config.server
    return Settings(public_url=server.public_url, cors_origins=server.cors_origins, body_limit=server.limits.body_bytes)


@asynccontextmanager
async def open_house(
    loaded: Loaded,
    *,
    clock: Clock | None = None,
    found: Sequence[Found] | None = None,
    strict: bool = False,
    serve: bool = True,
    inline: bool = False,
    synchronous: str = "FULL",
) -> AsyncIterator[House]:
    """Open the house on its data directory; leaving closes it.

    Args:
        loaded: The configuration.
        clock: The wall clock; the machine's own when not given.
        found: The installed plugins; those of the entry points and plugin folders when not given.
        strict: A plugin's fault stops the start too: for tests and `manor config check`.
        serve: Whether background work runs; commands do without.
        inline: Database work on the loop's thread: for tests whose clock jumps.
        synchronous: SQLite's `synchronous`; anything but FULL loses acknowledged writes in a power cut.

    Raises:
        AdminFault: With everything that an admin has to mend.
        HouseIsOpen: Another process has it open.
        MigrationFailed: One of the core's own migrations failed.
    """
    plugins = choose(loaded, discover(loaded.config.server.plugin_folders) if found is None else found)
    clock = clock or SystemClock()
    metrics = Metrics()
    counted = CoreMetrics(metrics)
    # The house is made after its bus; nothing is told before.
    bus = Bus(on_fault=lambda owner, reason: house.note_trouble(owner, reason), metrics=counted)  # noqa: PLW0108
    box = Outbox(bus, clock, metrics=counted)
    with locked(loaded.data_dir):
        async with open_storage(
            loaded.data_dir / "manor.db",
            clock=clock,
            bus=bus,
            outbox=box,
            inline=inline,
            synchronous=synchronous,
            on_batch=counted.note_batch,
        ) as storage:
            services = make_services(
                loaded, storage=storage, bus=bus, outbox=box, metrics=metrics, clock=clock, inline=inline
            )
            counted.live_outlets.set_function(lambda: services.live.outlets)
            services.live.on_too_slow = counted.live_too_slow.inc
            house = House(loaded, services, plugins, counted)
            await house.move_in()
            failure: BaseException | None = None
            async with trio.open_nursery() as ground_floor:
                if serve:
                    await house.serve_in(ground_floor)
                async with trio.open_nursery() as plugin_floor:
                    await house.live_in(plugin_floor, serve=serve)
                    try:
                        if strict:
                            refuse_faults(plugins)
                        house.phase = Phase.READY
                        yield house
                    except BaseException as error:
                        # What the body raises leaves as it is, and not in the group that a nursery makes of it.
                        failure = error
                    await house.move_out(plugin_floor)
                ground_floor.cancel_scope.cancel()
            if failure is not None:
                raise failure
