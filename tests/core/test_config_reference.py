"""The example file and the reference page say what the structs say."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import msgspec

from manor.config import Config, Key, decode_plugin, keys, load

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config.example.toml"
REFERENCE = ROOT / "docs" / "reference" / "config.md"
TABLE_HEAD = ("| key | type | default | on SIGHUP | meaning |", "|---|---|---|---|---|")


def row(key: Key) -> str:
    """A key as the reference page has it."""
    default = [] if key.default == () else "" if key.default is None or key.name.endswith("_file") else key.default
    shown = msgspec.json.encode(default, enc_hook=str).decode()
    on_reload = "applied" if key.is_live else "needs a restart"
    return f"| `{key.name}` | {key.type} | `{shown}` | {on_reload} | {key.meaning} |"


def shapes() -> Iterator[tuple[str, type[msgspec.Struct]]]:
    """The tables of the plugins that come with Manor; others that may be installed have pages of their own."""
    for point in distribution("manor").entry_points.select(group="manor.plugins"):
        yield point.name, point.load().Config


def documented() -> list[Key]:
    core = [key for key in keys(Config) if key.name not in ("tiers", "plugins")]
    return core + [key for name, shape in shapes() for key in keys(shape, ("plugins", name))]


def written(tables: Any, name: str) -> bool:
    for part in name.split("."):
        if part not in tables:
            return False
        tables = tables[part]
    return True


def test_the_example_names_every_key_and_a_copy_of_it_changes_nothing(tmp_path: Path) -> None:
    example = tomllib.loads(EXAMPLE.read_text())

    assert [key.name for key in documented() if not written(example, key.name)] == []
    copied, untouched = load(EXAMPLE, {}, tmp_path), load(None, {}, tmp_path, system_file=tmp_path / "none")
    assert (copied.config.server, copied.config.identity) == (untouched.config.server, untouched.config.identity)
    assert copied.warnings == ()
    for name, shape in shapes():
        assert decode_plugin(copied, name, shape) == decode_plugin(untouched, name, shape)


def test_every_key_has_a_meaning() -> None:
    assert [key.name for key in documented() if not key.meaning] == []


def test_the_reference_has_every_key_with_its_type_default_and_meaning_and_no_other() -> None:
    rows = [line for line in REFERENCE.read_text().splitlines() if line.startswith("| `")]

    assert sorted(rows) == sorted(row(key) for key in documented())
