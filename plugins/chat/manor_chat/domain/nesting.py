"""How deep a value of JSON is: what is too deep cannot be written or read everywhere again."""

from __future__ import annotations

from typing import Any

DEEPEST = 100
"""Lists and objects within each other that are kept."""


def is_too_deep(value: Any, most: int = DEEPEST) -> bool:
    """Whether there are more lists and objects within each other than this."""
    level = [value]
    for _ in range(most):
        level = [each for one in level for each in _within(one)]
        if not level:
            return False
    return any(isinstance(each, dict | list) for each in level)


def _within(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
