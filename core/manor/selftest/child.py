"""A real daemon as a child process, with its own configuration and data in a scratch directory."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import tomli_w
import trio

from manor.selftest.wire import BROKEN, connect

READY_WITHIN = 30.0
"""Seconds; a start takes one or two, a recovery on a busy machine more."""

ENDED_WITHIN = 20.0
"""Seconds after SIGTERM; it promises ten."""


class DaemonFailed(Exception):
    """The daemon ended by itself or did not become ready; the message holds the end of its log."""


class Daemon:
    """Starts, kills and stops one daemon after the other on the same data.

    Args:
        folder: an existing directory for the configuration (`config.toml`), the data (`data/`) and the log (`log`).
        command: what stands before `serve --config FILE`.
        environment: the daemon's variables; None for this process's own.
    """

    def __init__(
        self,
        folder: Path,
        *,
        command: Sequence[str] = (sys.executable, "-m", "manor"),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.port = _free_port()
        self.config = folder / "config.toml"
        self.data = folder / "data"
        self._log = folder / "log"
        self._command = command
        self._environment = environment
        self._process: trio.Process | None = None
        self.config.write_text(tomli_w.dumps(self._configuration()))

    async def command(self, *arguments: str) -> None:
        """Run one of `manor`'s other commands on the same configuration, outside the shim or variant in use."""
        # Not self._command: what prepares the test is no part of it.
        await trio.run_process(
            [sys.executable, "-m", "manor", *arguments, "--config", str(self.config)], capture_stdout=True
        )

    async def start(self) -> None:
        """Start the process and return at once."""
        with self._log.open("ab") as log:
            self._process = await trio.lowlevel.open_process(
                [*self._command, "serve", "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment if self._environment is None else dict(self._environment),
                cwd=self.config.parent,
            )

    async def ready(self) -> None:
        """Wait until `/readyz` answers 200."""
        with trio.move_on_after(READY_WITHIN):
            while self._running().poll() is None:
                try:
                    async with connect(self.port) as connection:
                        if (await connection.get("/readyz")).status == 200:
                            return
                except BROKEN:
                    pass
                await trio.sleep(0.02)
        raise DaemonFailed(f"the daemon did not become ready:\n{self.log_end()}")

    async def kill(self) -> None:
        """End it with SIGKILL, as a crash or the kernel's memory killer would."""
        if self._running().poll() is not None:
            raise DaemonFailed(f"the daemon ended by itself with {self._running().returncode}:\n{self.log_end()}")
        self._running().kill()
        await self._running().wait()

    async def stop(self) -> int:
        """Ask it to end (SIGTERM) and give its exit status."""
        os.kill(self._running().pid, signal.SIGTERM)
        with trio.move_on_after(ENDED_WITHIN):
            return await self._running().wait()
        raise DaemonFailed(f"the daemon did not end:\n{self.log_end()}")

    def ended(self) -> bool:
        """Whether no process is running."""
        return self._process is None or self._process.poll() is not None

    def log_end(self, size: int = 2000) -> str:
        """The last `size` bytes of what the daemons said."""
        return self._log.read_bytes()[-size:].decode(errors="replace")

    def _running(self) -> trio.Process:
        if self._process is None:
            raise DaemonFailed("no daemon was started")
        return self._process

    def _configuration(self) -> dict[str, object]:
        limits = {"address_limit_factor": 0, "connections_per_address": 4096}
        return {
            "server": {"bind": [f"127.0.0.1:{self.port}"], "data_dir": str(self.data), "limits": limits},
            "plugins": {"topics": {"enabled": True}},
        }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
