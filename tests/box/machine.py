"""A booted Debian in a container, on this machine's network, whose changes are forgotten when it ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

BOOTED_WITHIN = 60.0  # seconds; two when nothing else runs
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


class BoxFailed(Exception):
    """The box did not boot, or a command in it failed; the message holds what was said."""


class Box:
    """A running box.

    Args:
        leader: the process id, outside, of the systemd inside.
        root: its file system as seen from outside; what is written there is in the box at once.
    """

    def __init__(self, leader: int) -> None:
        self.leader = leader
        self.root = Path(f"/proc/{leader}/root")

    def run(self, *command: str, within: float = 60.0) -> str:
        """Run a command in the box as root and give its output; raises `BoxFailed` when it fails."""
        done = self.attempt(*command, within=within)
        if done.returncode != 0:
            raise BoxFailed(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout.strip()

    def attempt(self, *command: str, within: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a command in the box as root, whatever its exit status will be; 124 when it was not done in time."""
        # `timeout` works inside: killing nsenter from here would leave its child behind, with our pipes open.
        return subprocess.run(
            [*self._enter(), "timeout", "--kill-after=5", str(within), *command],
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    def converse(self, *command: str) -> subprocess.Popen[str]:
        """Start a command in the box as root that ends when its standard input does; the caller sees to that."""
        return subprocess.Popen(
            [*self._enter(), *command], env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def _enter(self) -> list[str]:
        return ["nsenter", "--target", str(self.leader), "--all", "--root", "--wd"]

    def put(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file into the box."""
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def show(self, unit: str, name: str) -> str:
        """One property of a unit, as `systemctl show` has it."""
        return self.run("systemctl", "show", "--value", f"--property={name}", unit)

    def journal(self, unit: str) -> str:
        """What a unit said, and what systemd said about it."""
        return self.attempt("journalctl", "--no-pager", "--output=cat", f"--unit={unit}").stdout


@contextmanager
def booted(tree: Path, console: Path) -> Iterator[Box]:
    """Boot the tree; nothing that happens in the box changes it.

    Args:
        tree: a root file system with systemd.
        console: a file that gets what the box prints.
    """
    name = f"manor-box-{os.getpid()}"
    with _running(name, _nspawn(name, tree, "--volatile=overlay"), console) as process:
        yield _wait_for_boot(process, console, generations=1)


class RestartingBox:
    """A box that may restart, and has then the files that it had.

    Args:
        process: Starts it, and starts it again.
        console: Gets what the box prints.

    Attributes:
        box: As it is running now.
    """

    def __init__(self, process: subprocess.Popen[bytes], console: Path) -> None:
        self._process = process
        self._console = console
        self.box = _wait_for_boot(process, console, _BELOW_LOOP)

    def wait_for_restart(self) -> None:
        """Wait until it has ended and is up again."""
        self.box = _wait_for_boot(self._process, self._console, _BELOW_LOOP, but_not=self.box.leader)


@contextmanager
def booted_to_restart(tree: Path, place: Path, console: Path) -> Iterator[RestartingBox]:
    """Boot the tree; nothing that happens in the box changes it, and all of it is kept over a restart.

    Args:
        tree: a root file system with systemd.
        place: an empty folder.
        console: a file that gets what the box prints.
    """
    name = f"manor-box-{os.getpid()}-restarting"
    # Nobody else sees what is mounted there, and with the last process it is gone.
    alone = ["setpriv", "--pdeathsig=TERM", "unshare", "--mount", "--propagation=private"]
    again = ["sh", "-c", _AGAIN, "sh", str(place), str(tree)]
    with _running(name, [*alone, *again, *_nspawn(name, place / "root")], console) as process:
        yield RestartingBox(process, console)


_BELOW_LOOP = 2
"""Generations from the loop to the box's first process."""

_AGAIN = """
place=$1; tree=$2; shift 2
mount -t tmpfs -o mode=755 tmpfs "$place" && mkdir "$place/upper" "$place/work" "$place/root" &&
mount -t overlay -o "lowerdir=$tree,upperdir=$place/upper,workdir=$place/work" overlay "$place/root" || exit 1
over=; trap 'over=yes; kill "$box"' TERM
status=133
while [ "$status" = 133 ] && [ -z "$over" ]; do
    "$@" & box=$!
    wait "$box"; status=$?
    [ -z "$over" ] || wait "$box"
done
exit "$status"
"""
"""Runs the command that is named behind the folders, and again while it ends as systemd-nspawn does when what is in it
restarts: with `--keep-unit` it leaves that to whoever started it."""


def _nspawn(name: str, tree: Path, *options: str) -> list[str]:
    if shutil.which("systemd-nspawn") is None:
        raise BoxFailed("systemd-nspawn is not installed (apt-get install systemd-container debootstrap)")
    return [
        # The box must not outlive a test run that was killed.
        "setpriv", "--pdeathsig=TERM",
        "systemd-nspawn", "--quiet", "--boot", f"--directory={tree}", f"--machine={name}", *options,
        "--register=no", "--keep-unit", "--link-journal=no", "--resolv-conf=off",
        "--console=read-only", "--kill-signal=SIGRTMIN+3",
    ]  # fmt: skip


@contextmanager
def _running(name: str, command: Sequence[str], console: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a box; SIGTERM ends it."""
    with console.open("wb") as output, _own_cgroups(name) as groups:
        enter = ["sh", "-c", _ENTER, "sh", str(len(groups)), *map(str, groups)]
        process = subprocess.Popen([*enter, *command], stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


_ENTER = 'n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ > "$1/cgroup.procs"; shift; n=$((n - 1)); done; exec "$@"'
"""Enters the groups that are named first, then becomes the command."""


@contextmanager
def _own_cgroups(name: str) -> Iterator[list[Path]]:
    """Make control groups for one box below ours, where that is allowed.

    Two boxes in one group find each other's processes in their units, as process 0, and neither can stop a unit then.
    """
    made = []
    unified = Path("/sys/fs/cgroup/unified")
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        mounts = {"name=systemd": Path("/sys/fs/cgroup/systemd"), "": unified if unified.exists() else unified.parent}
        if controllers in mounts:
            group = mounts[controllers] / path.lstrip("/") / name
            with suppress(OSError):
                group.mkdir()
                made.append(group)
    try:
        yield made
    finally:
        for group in made:
            for folder, _, _ in os.walk(group, topdown=False):
                with suppress(OSError):
                    Path(folder).rmdir()


def _wait_for_boot(process: subprocess.Popen[bytes], console: Path, generations: int, but_not: int = 0) -> Box:
    """Wait until the box is up.

    Args:
        process: Starts it.
        console: Has what it said.
        generations: How far down from the process its first process is.
        but_not: A process that was the first of an earlier start.
    """
    deadline = time.monotonic() + BOOTED_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        leader = process.pid
        for _ in range(generations):
            leader = _first_child(leader)
        if leader not in (0, but_not):
            box = Box(leader)
            # Answers only when the bus is there; "degraded" is no obstacle, "starting" means: wait.
            state = box.attempt("systemctl", "is-system-running", "--wait", within=BOOTED_WITHIN).stdout.strip()
            if state in ("running", "degraded"):
                return box
        time.sleep(0.1)
    raise BoxFailed(f"the box did not boot:\n{console.read_text(errors='replace')[-2000:]}")


def _first_child(parent: int) -> int:
    """A process's first child; 0: it has none, or is gone."""
    try:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    except OSError:
        return 0
    return int(children[0]) if children else 0
