"""The daemon's life: open the house, serve it, and leave in good order when told to."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Collection, Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

import structlog
import trio

from manor import logs
from manor.assembly import read
from manor.config import Loaded, load, parse_network
from manor.control import SOCKET
from manor.control.answering import serve_control
from manor.daemon.listeners import Listeners, open_listeners, passed_descriptors
from manor.daemon.process import pin_to_one_cpu, raise_file_limit
from manor.daemon.server import Server, ServerLimits, Tls
from manor.daemon.systemd import Supervisor
from manor.dispatch import Call
from manor.errors import AdminFault, Problem
from manor.front import ConnectionLimits
from manor.front.framing import HeadLimits
from manor.front.hangups import Hangups
from manor.front.moving import StreamRelays
from manor.house import House, open_house
from manor.metrics import CoreMetrics
from manor.privileges import become
from manor.relay.keeping import Processes
from manor.web import BodyTimes, Front, WebOptions

INTERRUPTED = 130
"""The exit code after a second Ctrl-C, as shells say it: 128 and the signal's number."""

GARBAGE = (2_000, 10, 10)
"""How often garbage is looked for while serving; see `gc.set_threshold`. A command's own numbers are for imports: with
those a daemon would keep up to twenty million dead objects, and stop for tens of milliseconds to look through some."""

log = structlog.get_logger("manor.daemon")


@runtime_checkable
class FirstStep(Protocol):
    """A plugin that knows what somebody who has just started the daemon may try."""

    def first_step(self, url: str) -> str:
        """One shell command, such as a `curl` line; `url` is the server's, without a trailing slash."""
        ...


def serve(path: Path | None) -> int:
    """Read the configuration and run the daemon; returns the exit code.

    Raises:
        AdminFault: The configuration is wrong.
    """
    return run(read(path, os.environ))


def run(loaded: Loaded, environ: MutableMapping[str, str] = os.environ) -> int:
    """Run the daemon until SIGTERM, SIGINT or a fault; returns the exit code.

    Raises:
        AdminFault: Something that an admin has to mend; a `HouseIsOpen` or `CannotListen` likewise.
    """
    config = loaded.config.server
    supervisor = Supervisor(environ)
    logs.configure(config.log_level, is_journal=logs.leads_to_journal(sys.stderr, environ))
    for warning in loaded.warnings:
        log.warning("configuration", problem=str(warning))
    raise_file_limit()
    tls = _tls(loaded)
    # Ports below 1024 and the certificate's key may be root's alone; data files are opened as the user that we become.
    listeners = open_listeners(config.bind, passed_descriptors(environ, os.getpid()))
    try:
        become(config.user, loaded.data_dir)
        processors = os.sched_getaffinity(0)
        if config.pin_cpu:
            pin_to_one_cpu()
        return trio.run(_Daemon(loaded, environ, supervisor, listeners, tls, processors).live)
    finally:
        listeners.close()


@dataclass
class _Daemon:
    loaded: Loaded
    environ: MutableMapping[str, str]
    supervisor: Supervisor
    listeners: Listeners
    tls: Tls | None
    processors: Collection[int]

    async def live(self) -> int:
        """Serve the house until a signal ends it."""
        self._stop = trio.Event()
        self._reload = trio.Event()
        async with trio.open_nursery() as nursery:
            await nursery.start(self._obey_signals)
            nursery.start_soon(self.supervisor.feed_watchdog)
            with trio.CancelScope() as opening:
                nursery.start_soon(self._give_up, opening)
                async with open_house(self.loaded) as house:
                    opening.shield = True
                    await self._serve(house)
            nursery.cancel_scope.cancel()
        return 0

    async def _give_up(self, opening: trio.CancelScope) -> None:
        """A stop that comes while the house still opens ends that; later, the server does what is needed."""
        await self._stop.wait()
        if not opening.shield:
            opening.cancel()

    async def _serve(self, house: House) -> None:
        front = Front(house.dispatcher, web_options(self.loaded, house.counted))
        server = Server(front, server_limits(self.loaded), tls=self.tls, on_count=house.counted.connections.set)

        async def end_streams() -> None:
            self.supervisor.stopping()
            await house.close_streams()
            front.end_streams()

        async with trio.open_nursery() as nursery:
            await nursery.start(serve_control, house, self.loaded.data_dir / SOCKET)
            if server.hangups is not None and self.loaded.config.server.processes:
                nursery.start_soon(self._keep_stream_processes, house, server.hangups)
            listening = self.listeners.listen(ServerLimits.backlog)
            serving = partial(server.serve, listening, stop=self._stop, on_stop=end_streams)
            async with trio.open_nursery() as doors:
                await doors.start(serving)
                # What a house is made of stays to the end, and need not be looked through for garbage.
                gc.freeze()
                gc.set_threshold(*GARBAGE)
                self._announce(house)
                nursery.start_soon(self._obey_reloads, house, front, server)
            nursery.cancel_scope.cancel()

    async def _keep_stream_processes(self, house: House, hangups: Hangups) -> None:
        """Have streams written to by processes of their own, until all connections have ended."""
        count = self.loaded.config.server.processes
        if self.tls is not None:
            log.warning("connections over TLS stay in the daemon's own process", processes=count)
        processes = Processes(count, processors=self.processors, on_ready=house.live.look_again)
        house.counted.stream_process_lines.set_function(lambda: sum(link.lines for link in processes.links))
        house.live.use(StreamRelays(processes.links, hangups))
        await processes.run()

    def _announce(self, house: House) -> None:
        addresses = self.listeners.addresses()
        self.supervisor.ready(f"Serving {', '.join(addresses)}")
        log.info("serving", addresses=addresses, data_dir=str(self.loaded.data_dir))
        if self.supervisor.is_there:
            return
        lines = greeting(addresses, self.loaded.data_dir, has_tls=self.tls is not None, house=house)
        sys.stdout.write("\n".join([*lines, ""]))
        sys.stdout.flush()

    # --- Signals ---------------------------------------------------------------------------------------------------

    async def _obey_signals(self, *, task_status: trio.TaskStatus[None]) -> None:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as received:
            # The command holds SIGHUP back from its start on; one that came meanwhile arrives now.
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
            task_status.started()
            async for number in received:
                if number == signal.SIGHUP:
                    self._reload.set()
                elif number == signal.SIGINT and self._stop.is_set():
                    # Whoever presses Ctrl-C twice does not want to wait; what was acknowledged is on disk.
                    os._exit(INTERRUPTED)
                else:
                    log.info("stopping", signal=signal.Signals(number).name)
                    self._stop.set()

    async def _obey_reloads(self, house: House, front: Front, server: Server) -> None:
        while True:
            await self._reload.wait()
            self._reload = trio.Event()
            self.supervisor.reloading()
            await self._take_changes(house, front, server)
            self.supervisor.ready()

    async def _take_changes(self, house: House, front: Front, server: Server) -> None:
        """Read the configuration again; what is wrong with it is told, and the old one stays."""
        try:
            loaded = await trio.to_thread.run_sync(load, self.loaded.path, self.environ)
            house.reload(loaded)
        except AdminFault as fault:
            for problem in fault.problems:
                log.error("not reloaded", problem=str(problem))
            return
        limits = loaded.config.server.limits
        server.change(connections=limits.connections, connections_per_address=limits.connections_per_address)
        front.apply(web_options(loaded, house.counted))
        is_journal = logs.leads_to_journal(sys.stderr, self.environ)
        logs.configure(loaded.config.server.log_level, is_journal=is_journal)
        if self.tls is not None:
            try:
                self.tls.reload()
            except OSError as error:
                log.error("the certificate was not reloaded", reason=str(error))


# --- From the configuration ----------------------------------------------------------------------------------------


def web_options(loaded: Loaded, counted: CoreMetrics) -> WebOptions:
    """What the front is told."""
    config = loaded.config.server

    def observe(call: Call, status: int, seconds: float) -> None:
        counted.note_request(call.api.name, call.head.method, status, seconds)

    return WebOptions(
        trusted_proxies=[parse_network(text) for text in config.trusted_proxies],
        requests_per_address=config.limits.connections_per_address,
        body_times=BodyTimes(idle=config.limits.body_idle_seconds),
        access_log=config.log_level == "debug",
        observe=observe,
    )


def server_limits(loaded: Loaded) -> ServerLimits:
    """What the sockets are told."""
    config = loaded.config.server
    limits = config.limits
    return ServerLimits(
        connections=limits.connections,
        connections_per_address=limits.connections_per_address,
        trusted_proxies=[parse_network(text) for text in config.trusted_proxies],
        connection=ConnectionLimits(
            header=limits.header_seconds,
            keep_alive=limits.keep_alive_seconds,
            write=limits.write_seconds,
            head=HeadLimits(size=limits.header_bytes),
            websocket_message=limits.websocket_message_bytes,
        ),
    )


def _tls(loaded: Loaded) -> Tls | None:
    config = loaded.config.server
    if config.tls_cert is None and config.tls_key is None:
        return None
    if config.tls_cert is None or config.tls_key is None:
        missing = "tls_key" if config.tls_key is None else "tls_cert"
        raise AdminFault([Problem(f"server.{missing}", "TLS needs both a certificate and its key")])
    try:
        return Tls(str(config.tls_cert), str(config.tls_key))
    except OSError as error:
        raise AdminFault([Problem("server.tls_cert", f"{config.tls_cert}: {error}")]) from error


def greeting(addresses: Sequence[str], data_dir: Path, *, has_tls: bool, house: House) -> Iterator[str]:
    """What a person who starts the daemon by hand reads: where it is, where its data is, what to try."""
    url = f"{'https' if has_tls else 'http'}://{addresses[0]}"
    is_url = not addresses[0].startswith("unix:")
    yield f"Manor is at {url}" if is_url else f"Manor listens on {addresses[0]}"
    yield f"Its data is in {data_dir}"
    for plugin in house.running if is_url else ():
        if isinstance(plugin.instance, FirstStep):
            yield f"Try:  {plugin.instance.first_step(url)}"
