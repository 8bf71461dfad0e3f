"""The slash commands that every team has."""

from __future__ import annotations

from collections.abc import Mapping

from manor_chat.integrations import of_channels, of_people, of_texts
from manor_chat.integrations.doing import BuiltIn, Doing, Outcome, told


def _help(doing: Doing, text: str) -> Outcome:
    lines = [f"- `/{each.trigger}{f' {each.hint}' if each.hint else ''}`: {each.description}" for each in _sorted()]
    return told("\n".join(["#### Slash commands", *lines]))


def _sorted() -> list[BuiltIn]:
    return [BUILT_IN[trigger] for trigger in sorted(BUILT_IN)]


BUILT_IN: Mapping[str, BuiltIn] = {
    each.trigger: each
    for each in (
        *of_texts.COMMANDS,
        *of_people.COMMANDS,
        *of_channels.COMMANDS,
        BuiltIn("help", "Show the slash commands", "", _help),
    )
}
"""By name."""
