"""A form of settings is taken: all of what changed, or nothing."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from manor import FieldProblem
from manor_stream.administering.changing import Changing
from manor_stream.key_check import USER
from manor_stream.pages.fields import Field, read_changes
from manor_stream.setting_rules import RULES, Unfit
from manor_stream.settings import StreamSettings


async def take(
    changing: Changing, fields: Sequence[Field], form: msgspec.Struct, settings: StreamSettings
) -> tuple[dict[str, str], list[FieldProblem]]:
    """Change what differs from what is set.

    Args:
        changing: Changes settings.
        fields: Of the form.
        form: What was sent.
        settings: As they are.

    Returns:
        What was typed, by the fields' names, and what is wrong with it; with anything wrong nothing is changed.
    """
    typed = {field.name: getattr(form, field.name) for field in fields}
    changes, problems = read_changes(fields, typed, settings)
    for path, value in changes.items():
        try:
            await changing.check(path, value)
        except Unfit as unfit:
            problems.append(FieldProblem(RULES[path].setting, unfit.expected))
    if not problems:
        for path, value in changes.items():
            await changing.set(path, value, actor=USER)
    return typed, problems
