"""Opening a house for a test."""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w

from manor.config import Loaded, load
from manor.discovery import GROUP, Found, discover
from manor.errors import ManorError
from manor.events import Delivery, Event, Subscription
from manor.house import House, open_house
from manor.identity.passwords import Hasher

if TYPE_CHECKING:
    from manor.clock import Clock

QUICK: Mapping[str, Any] = {"identity": {"argon2_memory_mib": 19, "argon2_time": 2}}
"""The least that argon2 may do, and in a test's house a sign to do less: it signs people in to see something else."""


def declared_plugins(root: Path) -> list[str]:
    """The plugins that a project's `pyproject.toml` declares; none when there is no such file."""
    pyproject = root / "pyproject.toml"
    if not pyproject.is_file():
        return []
    project = tomllib.loads(pyproject.read_text()).get("project", {})
    return sorted(project.get("entry-points", {}).get(GROUP, {}))


@asynccontextmanager
async def open_test_house(
    folder: Path,
    *,
    plugins: Sequence[str],
    config: Mapping[str, Any] | None = None,
    clock: Clock | None = None,
    inline: bool = True,
) -> AsyncIterator[House]:
    """Open a house as the fixture does: for a test that needs two of them, or closes and opens one.

    Args:
        folder: For its configuration and data; with the same folder a second house finds what the first one stored.
        plugins: Names of the plugins in it; they are enabled whatever the configuration says.
        config: Tables as in config.toml; unless it asks for more than the least, passwords are hashed in a millisecond.
        clock: The wall clock; the machine's own without one.
        inline: Run database work in this thread, which `autojump_clock` needs; else on threads, as the daemon does.

    Raises:
        AdminFault: The configuration is wrong, or a plugin has a fault.
        ManorError: A plugin is not installed.
    """
    tables = _merged(_merged(QUICK, config or {}), {"plugins": {name: {"enabled": True} for name in plugins}})
    loaded = _loaded(folder, tables)
    folders = loaded.config.server.plugin_folders
    found = _installed(plugins, folders)
    database = loaded.data_dir / "manor.db"
    if clock is not None and not folders and not database.exists():
        loaded.data_dir.mkdir(parents=True, exist_ok=True)
        database.write_bytes(await _laid_out(tuple(plugins), clock))
    # A test ends before the power goes: nothing of it has to be on the disk.
    async with open_house(loaded, clock=clock, inline=inline, strict=True, found=found, synchronous="NORMAL") as house:
        asked = loaded.config.identity
        if (asked.argon2_memory_mib, asked.argon2_time) == tuple(QUICK["identity"].values()):
            house.services.identity.hasher = Hasher(memory_mib=1, passes=1, inline=inline)
        yield house


_LAID_OUT: dict[tuple[tuple[str, ...], datetime], bytes] = {}


async def _laid_out(plugins: tuple[str, ...], clock: Clock) -> bytes:
    """A database with the tables of these plugins, made at that moment: the same for every test, so it is made once."""
    key = plugins, clock.now()
    if key not in _LAID_OUT:
        with tempfile.TemporaryDirectory(prefix="manor-") as folder:
            loaded = _loaded(Path(folder), {"plugins": {name: {"enabled": True} for name in plugins}})
            found = _installed(plugins, [])
            async with open_house(loaded, clock=clock, inline=True, strict=True, found=found, serve=False):
                pass
            _LAID_OUT[key] = (loaded.data_dir / "manor.db").read_bytes()
    return _LAID_OUT[key]


def _loaded(folder: Path, tables: Mapping[str, Any]) -> Loaded:
    """Through a file, as an admin's configuration: its errors name it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.toml"
    path.write_text(tomli_w.dumps(tables))
    return load(path, {}, cwd=folder)


def _installed(names: Sequence[str], folders: Sequence[Path]) -> list[Found]:
    by_name = {found.name: found for found in (discover(folders) if folders else _installed_here())}
    for name in names:
        if name not in by_name:
            raise ManorError(f"the plugin '{name}' is not installed: pip install -e . in its folder")
    return [by_name[name] for name in names]


@cache
def _installed_here() -> list[Found]:
    """Read once: an installation does not change while the tests of one process run."""
    return discover()


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        inside = merged.get(key)
        merged[key] = _merged(inside, value) if isinstance(value, Mapping) and isinstance(inside, Mapping) else value
    return merged


def hear_all(house: House) -> list[Event]:
    """A list that grows with every event that the house tells."""
    events: list[Event] = []
    for name, (_, kind) in house.bus.types().items():
        house.bus.subscribe("tests", Subscription(name, kind, events.append, Delivery.INLINE))
    return events
