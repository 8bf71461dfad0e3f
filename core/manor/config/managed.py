"""The one file that commands write: `conf.d/90-managed.toml`. The admin's own files are only read."""

from __future__ import annotations

import fcntl
import os
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tomli_w

from manor.config.loading import Loaded
from manor.config.sources import read_layer
from manor.errors import AdminFault, Problem

_HEADING = (
    "# Written by manor's commands, such as `manor plugins enable`; your own settings belong into another file.\n\n"
)


def change_managed(loaded: Loaded, changes: Mapping[str, Any]) -> Path:
    """Set keys in the managed file, durably and whole or not at all; other keys stay as they are.

    Args:
        loaded: Says where the file is.
        changes: Values by dotted key, such as `{"plugins.chat.enabled": True}`; None takes the key out.

    Returns:
        The file that was written.

    Raises:
        AdminFault: The file that is there cannot be read, or the folder not be written.
    """
    folder = loaded.conf_d
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            tables = _present(loaded.managed_path)
            for key, value in changes.items():
                _set(tables, key.split("."), value)
            text = _HEADING + tomli_w.dumps(tables)
            tomllib.loads(text)
            _replace(loaded.managed_path, text)
    except OSError as error:
        raise AdminFault([Problem(str(loaded.managed_path), f"cannot be written: {error.strerror}")]) from error
    return loaded.managed_path


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep a second writer waiting, so that neither's change is lost; the folder itself is what is locked."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _present(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    layer = read_layer(path)
    if isinstance(layer, Problem):
        raise AdminFault([layer])
    return dict(layer.tables)


def _set(table: dict[str, Any], parts: list[str], value: Any) -> None:
    first, *rest = parts
    if rest:
        below = table.setdefault(first, {})
        if not isinstance(below, dict):
            below = table[first] = {}
        _set(below, rest, value)
        if not below:
            del table[first]
    elif value is None:
        table.pop(first, None)
    else:
        table[first] = value


def _replace(path: Path, text: str) -> None:
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
