"""The reference says what there is: every hook, context attribute and event, and nothing that is not there."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path

import manor
from manor import PluginContext, hookspecs, identity
from manor.assembly import describe
from manor.config import load

DOCS = Path(__file__).parents[2] / "docs" / "reference"


def test_every_hook_is_documented() -> None:
    hooks = {name for name in vars(hookspecs) if name.startswith("manor_")}

    assert set(re.findall(r"^### `(manor_\w+)`$", (DOCS / "hooks.md").read_text(), re.MULTILINE)) == hooks


def test_every_attribute_of_the_context_is_documented() -> None:
    section = (DOCS / "hooks.md").read_text().partition("## The context")[2]
    attributes = {field.name for field in dataclasses.fields(PluginContext)}

    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == attributes


def test_every_event_is_documented_with_its_fields(tmp_path: Path) -> None:
    described = describe(load(None, os.environ, cwd=tmp_path), every=True)
    events = [*identity.EVENTS, *(kind for plugin in described.plugins for kind in plugin.brought.event_types)]
    rows = re.findall(r"^\| `(\w+\.\w+)` \|.*\| ([^|]+) \|$", (DOCS / "events.md").read_text(), re.MULTILINE)

    assert {name: re.findall(r"`(\w+)`", fields) for name, fields in rows} == {
        event.name: list(event.__struct_fields__) for event in events
    }


def test_every_public_name_is_there() -> None:
    missing = [name for name in manor.__all__ if not hasattr(manor, name)]

    assert missing == []
