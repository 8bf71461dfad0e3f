"""Code in a message's markdown: nothing in it mentions or tags."""

from __future__ import annotations

import re
from bisect import bisect_right

_FENCE = re.compile(r"[ \t]{0,3}(`{3,}|~{3,})(.*)")
_RUN = re.compile("`+")


def without_code(message: str) -> str:
    """The message with its code blocks and code spans blanked out (CommonMark 0.31, sections 4.5 and 6.1).

    Linear in the message's length, whatever stands in it.
    """
    if "`" not in message and "~~~" not in message:
        return message
    return _without_spans(_without_blocks(message))


def _without_blocks(message: str) -> str:
    kept: list[str] = []
    fence = ""
    for line in message.split("\n"):
        match = _FENCE.fullmatch(line)
        if fence:
            if match and match[1].startswith(fence) and not match[2].strip():
                fence = ""
            continue
        if match and not ("`" in match[1] and "`" in match[2]):
            fence = match[1]
            continue
        kept.append(line)
    return "\n".join(kept)


def _without_spans(text: str) -> str:
    """A span ends at the next run of as many backticks as it began with; a run without such a one is text."""
    runs = [match.span() for match in _RUN.finditer(text)]
    ends: dict[int, list[int]] = {}
    for start, end in runs:
        ends.setdefault(end - start, []).append(start)
    kept: list[str] = []
    done = 0
    for start, end in runs:
        if start < done:
            continue
        length = end - start
        later = ends[length]
        next_one = bisect_right(later, start)
        if next_one < len(later):
            kept += (text[done:start], " ")
            done = later[next_one] + length
    kept.append(text[done:])
    return "".join(kept)
