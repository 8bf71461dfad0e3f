"""The daemon under measurement: configured, pinned to a core, started, weighed and stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import tomli_w

from bench.processes import Target, free_port, resident_kib

SERVER_CORE = 0
TOPIC = "bench0"
"""The load generator counts topics from zero."""
READY_WITHIN = 30.0
ENDED_WITHIN = 30.0

CHAT = {"enabled": True, "requests_per_second": 10_000, "requests_at_once": 100_000}
"""Chat's table, with no limit that a few people would meet who post all the time."""


class Server:
    """One daemon with fresh data; a context manager that starts and stops it.

    Args:
        scratch: a directory on the disk that is to carry the messages.
        is_pinned: whether the daemon gets core 0 to itself.
        plugins: tables of the configuration, beside the defaults.
        settings: keys of `[server]`, beside those that measuring needs.
        furnish: makes what the house has, while it is closed; told where its configuration is. A topic, if not given.
    """

    def __init__(
        self,
        scratch: Path,
        *,
        is_pinned: bool = True,
        plugins: Mapping[str, Mapping[str, object]] = {},
        settings: Mapping[str, object] = {},
        furnish: Callable[[Path], object] | None = None,
    ) -> None:
        self._is_pinned = is_pinned
        self._folder = tempfile.TemporaryDirectory(dir=scratch, prefix="manor-bench-")
        self._log = Path(self._folder.name) / "log"
        self._config = Path(self._folder.name) / "config.toml"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.seconds_to_ready = 0.0
        self._config.write_text(tomli_w.dumps(self._configuration(plugins, settings)))
        (furnish or create_topic)(self._config)

    def __enter__(self) -> Self:
        began = time.perf_counter()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command("serve"), stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=_environment()
            )
        self._wait_until_ready(began)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, at: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(ENDED_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        said = self._log.read_text()[-2000:]
        self._folder.cleanup()
        if status != 0 and kind is None:
            raise RuntimeError(f"the daemon ended with {status}:\n{said}")

    @property
    def target(self) -> Target:
        """It, for those who put load on it."""
        assert self._process is not None
        return Target("Manor", self.port, self._process.pid)

    def memory_kib(self) -> int:
        """Resident memory, in KiB."""
        return resident_kib(self.target.pid)

    def _wait_until_ready(self, began: float) -> None:
        assert self._process is not None
        request = f"http://127.0.0.1:{self.port}/readyz"
        while time.perf_counter() < began + READY_WITHIN and self._process.poll() is None:
            try:
                with urllib.request.urlopen(request, timeout=5) as answer:
                    if answer.status == 200:
                        self.seconds_to_ready = time.perf_counter() - began
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.005)
        raise RuntimeError(f"the daemon did not become ready:\n{self._log.read_text()[-2000:]}")

    def _command(self, *arguments: str) -> list[str]:
        pin = ["taskset", "-c", str(SERVER_CORE)] if self._is_pinned else []
        return [*pin, sys.executable, "-m", "manor", *arguments, "--config", str(self._config)]

    def _configuration(
        self, plugins: Mapping[str, Mapping[str, object]], settings: Mapping[str, object]
    ) -> dict[str, object]:
        many = 20_000
        limits = {"connections": many, "connections_per_address": many, "address_limit_factor": 0}
        return {
            "server": {
                "bind": [f"127.0.0.1:{self.port}"],
                "data_dir": str(Path(self._folder.name) / "data"),
                "pin_cpu": False,  # taskset does it, so that --unpinned can leave it out
                "limits": limits,
                **settings,
            },
            "plugins": {"chat": {"enabled": False}, **plugins},
        }


def create_topic(config: Path) -> None:
    """Make the topic that is measured with, in a house that is closed."""
    command = [sys.executable, "-m", "manor", "topics", "create", TOPIC, "--config", str(config)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60)


def sync_milliseconds(scratch: Path, *, times: int = 200) -> float:
    """The median time of one 4 KiB write and fdatasync on that disk: what a lone durable publish cannot beat."""
    taken: list[float] = []
    with tempfile.TemporaryFile(dir=scratch, buffering=0) as file:
        for _ in range(times):
            began = time.perf_counter()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - began)
    return sorted(taken)[times // 2] * 1000


@contextmanager
def quiet() -> Iterator[list[float]]:
    """Fill the list with how many cores were busy on the whole machine meanwhile."""
    busy: list[float] = []
    before, began = _busy_seconds(), time.perf_counter()
    yield busy
    busy.append((_busy_seconds() - before) / (time.perf_counter() - began))


def _busy_seconds() -> float:
    columns = [int(column) for column in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(columns) - columns[3] - columns[4]) / os.sysconf("SC_CLK_TCK")


def _environment() -> dict[str, str]:
    """Ours, without what would keep Python from caching its bytecode, as an installed daemon does."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
