"""A small Debian with systemd inside, built once and kept: the root file system of the test box.

Layers, from the slow to the quick, each made only when what it is made of has changed:

* the tree (debootstrap, about a minute), keyed by this recipe;
* `/opt/manor` in it, a virtual environment with the dependencies, keyed by `pyproject.toml`'s;
* Manor's own wheel, built for every session and installed into the running box (see `box.py`).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
SUITE = "bookworm"
PACKAGES = (
    "ca-certificates",
    "dbus",
    "openssh-client",
    "openssh-server",
    "python3",
    "python3-venv",
    "systemd",
    "systemd-sysv",
)
# Units that only cost time in a box without devices, consoles or a network of its own.
MASKED = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "fstrim.timer",
    "ssh.service",  # it would want this machine's port 22; a test that needs it gives it another
    "systemd-networkd-wait-online.service",
    "systemd-resolved.service",
    "systemd-timesyncd.service",
)
VENV = "/opt/manor"
WHEELS = "/var/cache/wheels"


class CannotBuild(Exception):
    """A step of the recipe failed; the message holds the end of what it said."""


def cache_folder() -> Path:
    """Where trees are kept between runs: `$MANOR_BOX`, else `/var/cache/manor-box`."""
    return Path(os.environ.get("MANOR_BOX") or "/var/cache/manor-box")


@contextmanager
def tree() -> Iterator[Path]:
    """Give the path of a tree with the dependencies installed, building what is missing.

    The tree is locked (shared) while it is in use, so that no other run changes it underneath a box.
    """
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    root = folder / f"tree-{_recipe_key()}"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        while not _is_complete(root):
            # Only for building: a tree that is right may be in use by another run for minutes.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not root.exists():
                _bootstrap(root)
            if not _is_complete(root):
                _install_dependencies(root)
            fcntl.flock(lock, fcntl.LOCK_SH)
        yield root


def build_wheel(project: Path, into: Path) -> Path:
    """Build the project's wheel as a release would and give its path."""
    _run(
        sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
        "--wheel-dir", str(into), str(project),
    )  # fmt: skip
    [wheel] = into.glob("manor-*.whl")
    return wheel


def _recipe_key() -> str:
    recipe = json.dumps([SUITE, sorted(PACKAGES), sorted(MASKED)])
    return hashlib.sha256(recipe.encode()).hexdigest()[:12]


def _bootstrap(root: Path) -> None:
    unfinished = root.with_name(f"{root.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    _run("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(unfinished))
    for unit in MASKED:
        (unfinished / "etc/systemd/system" / unit).symlink_to("/dev/null")
    (unfinished / "etc/machine-id").write_text("")
    shutil.rmtree(unfinished / "var/cache/apt", ignore_errors=True)
    unfinished.rename(root)


def _dependencies() -> list[str]:
    with (PROJECT / "pyproject.toml").open("rb") as file:
        dependencies: list[str] = tomllib.load(file)["project"]["dependencies"]
    return dependencies


def _dependencies_key() -> str:
    return hashlib.sha256(json.dumps(sorted(_dependencies())).encode()).hexdigest()


def _stamp(root: Path) -> Path:
    """The file that holds the key of what `/opt/manor` was made of."""
    return root / VENV.lstrip("/") / "dependencies.sha256"


def _is_complete(root: Path) -> bool:
    stamp = _stamp(root)
    return stamp.exists() and stamp.read_text() == _dependencies_key()


def _install_dependencies(root: Path) -> None:
    """Make `/opt/manor` in the tree with the released dependencies, from wheels that the host's pip fetched."""
    dependencies, stamp = _dependencies(), _stamp(root)
    if sys.version_info[:2] != (3, 11):
        raise CannotBuild(f"the box has Python 3.11 and needs its wheels; this is {sys.version.split()[0]}")
    wheels = root / WHEELS.lstrip("/")
    shutil.rmtree(stamp.parent, ignore_errors=True)
    shutil.rmtree(wheels, ignore_errors=True)
    wheels.mkdir(parents=True)
    _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", str(wheels), *dependencies)
    _run("chroot", str(root), "python3", "-m", "venv", VENV)
    _run(
        "chroot", str(root), f"{VENV}/bin/pip", "install", "--quiet", "--no-index", f"--find-links={WHEELS}",
        *dependencies,
    )  # fmt: skip
    shutil.rmtree(wheels)
    stamp.write_text(_dependencies_key())


def _run(*command: str) -> None:
    # PIP_* of the host point at files that the tree does not have.
    inside = command[0] == "chroot"
    environment = {name: value for name, value in os.environ.items() if not (inside and name.startswith("PIP_"))}
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip()[-2000:]
        raise CannotBuild(f"{' '.join(command)} ended with {done.returncode}:\n{said}")
