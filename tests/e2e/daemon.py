"""The real daemon as a child process: its own folder, its own port, and what it says."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

import tomli_w
import trio
from click.testing import CliRunner, Result

from manor.cli import main

MANOR = (sys.executable, "-m", "manor")

AS_INSTALLED = Path(__file__).with_name("as_installed")
"""Stands in for libraries that are here for our tools alone, and that others would find and import."""

DEADLINE = 60.0
"""Seconds that a fact may take to come about on a busy machine; a good run waits for none of them."""


class Output:
    """The lines of a pipe, read as they come."""

    def __init__(self, pipe: IO[str]) -> None:
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._is_over = False
        self._pipe = pipe
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, text: str, *, after: int = 0) -> str:
        """Wait until a line holds `text`, and return it; lines before number `after` do not count."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._is_over or self._found(text, after), DEADLINE), self.text
            found = self._found(text, after)
        assert found, f"ended without {text!r}:\n{self.text}"
        return found

    @property
    def text(self) -> str:
        """All that was said."""
        return "".join(self.lines)

    def close(self) -> None:
        """Read to the end, which is there once the process is gone."""
        self._reader.join(DEADLINE)
        self._pipe.close()

    def _found(self, text: str, after: int) -> str:
        return next((line for line in self.lines[after:] if text in line), "")

    def _read(self) -> None:
        for line in self._pipe:
            with self._changed:
                self.lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._is_over = True
            self._changed.notify_all()


class Running:
    """One process of the daemon."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self._process = process
        self.pid = process.pid
        self.said = Output(process.stdout)
        self.log = Output(process.stderr)

    def wait_until_it_serves(self) -> None:
        """Wait for what is printed once connections are taken."""
        try:
            self.said.wait_for("Its data is in")
        except AssertionError as error:
            raise AssertionError(f"it does not serve:\n{self.log.text}") from error

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def exit_code(self) -> int:
        """Wait until it has ended."""
        descriptor = os.pidfd_open(self.pid)
        try:
            with trio.move_on_after(DEADLINE):
                await trio.lowlevel.wait_readable(descriptor)
        finally:
            os.close(descriptor)
        return self.ended()

    def ended(self) -> int:
        """The same for tests without a loop."""
        code = self._process.wait(DEADLINE)
        self.said.close()
        self.log.close()
        return code

    def stop(self) -> int:
        """Have it end in good order; returns its exit code."""
        self.signal(signal.SIGTERM)
        return self.ended()

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process.poll() is None:
            self._process.kill()
        self.ended()


class Daemon:
    """A configuration in a folder, and the process that runs on it.

    Args:
        folder: Where `config.toml` and `data` are made.
        tables: What stands in the configuration beside the address; tables are joined with ours.
    """

    def __init__(self, folder: Path, tables: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        self.config = folder / "config.toml"
        self.data = folder / "data"
        self.running: Running | None = None
        self.configure(tables or {})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Output:
        assert self.running is not None
        return self.running.log

    def configure(self, tables: Mapping[str, Any]) -> None:
        """Write the configuration anew."""
        server = {"bind": [f"127.0.0.1:{self.port}"], "data_dir": str(self.data)} | tables.get("server", {})
        self.config.write_text(tomli_w.dumps({**tables, "server": server}))

    def start(self, environment: Mapping[str, str] | None = None) -> Running:
        """Start it and wait until it serves."""
        self.running = spawn("serve", "--config", str(self.config), folder=self.folder, environment=environment or {})
        if "NOTIFY_SOCKET" not in (environment or {}):
            self.running.wait_until_it_serves()
        return self.running

    def stop(self) -> int:
        assert self.running is not None
        running, self.running = self.running, None
        return running.stop()

    def kill(self) -> None:
        if self.running is not None:
            running, self.running = self.running, None
            running.kill()

    def manor(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run another command on the same configuration."""
        return manor(*arguments, "--config", str(self.config), folder=self.folder, stdin=stdin)

    async def manor_here(self, *arguments: str, stdin: str = "") -> Result:
        """The same in the test's own process, which has imported a house already: for commands that open one."""
        given = [*arguments, "--config", str(self.config)]
        return await trio.to_thread.run_sync(partial(CliRunner().invoke, main, given, input=stdin))

    def create(self, *topics: str) -> None:
        """Make topics."""
        done = self.manor("topics", "create", *topics)
        assert done.returncode == 0, done.stderr


def spawn(
    *arguments: str,
    folder: Path,
    environment: Mapping[str, str],
    command: Sequence[str] = MANOR,
    pass_fds: Sequence[int] = (),
) -> Running:
    """Start a command and return at once."""
    return Running(
        subprocess.Popen(
            [*command, *arguments],
            cwd=folder,
            env=_environment(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=pass_fds,
        )
    )


def manor(
    *arguments: str, folder: Path, stdin: str = "", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*MANOR, *arguments],
        cwd=folder,
        env=_environment(environment or {}),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    # As a person's shell has it: bytecode is kept, or every start would compile all of Manor again.
    ours = ("MANOR_", "NOTIFY_", "LISTEN_", "WATCHDOG_", "JOURNAL_", "INVOCATION_", "PYTHONDONTWRITEBYTECODE")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**inherited, "PYTHONPATH": str(AS_INSTALLED), **more}


def free_port() -> int:
    """A port below those that the kernel gives to clients, so that nobody takes it while a daemon restarts."""
    for port in random.sample(range(15_000, 32_000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")
