"""Copies of plugins with a right taken out: what the authorisation matrix is for is to notice."""

from __future__ import annotations

import importlib
import itertools
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from manor.config import load
from manor.discovery import Found
from manor.house import House, open_house
from manor.testing import SetClock

ROOT = Path(__file__).parents[2]

PLUGINS = {"auth": "Auth", "topics": "Topics"}
"""The plugins that are copied, and the names of their classes."""

_numbers = itertools.count()


@dataclass(frozen=True)
class Mutant:
    """One change to one file.

    Args:
        path: Below `plugins/`.
        old: What stands there, once.
        new: What stands there instead.
        caught: Operations, and the column in which each is to be found wrong.
    """

    path: str
    old: str
    new: str
    caught: tuple[tuple[str, str], ...]

    def change(self, text: str) -> str:
        """The changed file.

        Raises:
            AssertionError: What is to be changed does not stand there once: the mutant has to follow the code.
        """
        assert text.count(self.old) == 1, f"{self.path} holds {text.count(self.old)} times: {self.old}"
        return text.replace(self.old, self.new)


def copied(folder: Path, change: Callable[[str, str], str]) -> list[Found]:
    """Copy the plugins under other package names, so that both can be in one process.

    Args:
        folder: Where to.
        change: Takes a file's path below `plugins/` and its text, and gives the text of the copy.
    """
    number = next(_numbers)
    found = []
    for name, factory in PLUGINS.items():
        package = f"manor_{name}_altered{number}"
        source = ROOT / "plugins" / name / f"manor_{name}"
        for path in source.rglob("*"):
            if not path.is_file() or "__pycache__" in path.parts:
                continue
            target = folder / package / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix != ".py":
                target.write_bytes(path.read_bytes())
                continue
            text = change(path.relative_to(ROOT / "plugins").as_posix(), path.read_text())
            target.write_text(re.sub(rf"\bmanor_{name}\b(?!\()", package, text))
        found.append(Found(name, str(folder), _loader(f"{package}.plugin", factory)))
    return found


def _loader(module: str, factory: str) -> Callable[[], type[Any]]:
    def load_plugin() -> type[Any]:
        loaded: type[Any] = getattr(importlib.import_module(module), factory)
        return loaded

    return load_plugin


@asynccontextmanager
async def altered_house(
    folder: Path, clock: SetClock, config: dict[str, Any], change: Callable[[str, str], str]
) -> AsyncIterator[House]:
    """A house with copies of the plugins in it; see `copied`."""
    folder.mkdir()
    tables = {**config, "plugins": {name: {"enabled": True} for name in PLUGINS}}
    (folder / "config.toml").write_text(tomli_w.dumps(tables))
    loaded = load(folder / "config.toml", {}, cwd=folder)
    sys.path.insert(0, str(folder))
    try:
        found = copied(folder, change)
        async with open_house(
            loaded, clock=clock, inline=True, strict=True, found=found, synchronous="NORMAL"
        ) as house:
            yield house
    finally:
        sys.path.remove(str(folder))
        _forget(module for module in list(sys.modules) if "_altered" in module)


def _forget(modules: Iterable[str]) -> None:
    for module in modules:
        del sys.modules[module]
