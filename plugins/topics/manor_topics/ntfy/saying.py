"""What a request says in ntfy's words: names of headers and parameters, and what their values mean. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from msgspec import UNSET

from manor_topics.actions import read_actions
from manor_topics.domain import Misfit
from manor_topics.drafts import HIGHEST_PRIORITY, LOWEST_PRIORITY, read_header
from manor_topics.extras import check_attachment
from manor_topics.links import check_target
from manor_topics.messages import Extras

TITLE = ("x-title", "title", "ti", "t")
MESSAGE = ("x-message", "message", "m")
PRIORITY = ("x-priority", "priority", "prio", "p")
TAGS = ("x-tags", "tags", "tag", "ta")
CLICK = ("x-click", "click")
ICON = ("x-icon", "icon")
MARKDOWN = ("x-markdown", "markdown", "md")
ACTIONS = ("x-actions", "actions", "action")
ATTACH = ("x-attach", "attach", "a")
FILENAME = ("x-filename", "filename", "file", "f")
DELAY = ("x-delay", "delay", "x-at", "at", "x-in", "in")
EMAIL = ("x-email", "x-e-mail", "email", "e-mail", "mail", "e")
CALL = ("x-call", "call")

NAMES = frozenset(
    (
        *TITLE,
        *MESSAGE,
        *PRIORITY,
        *TAGS,
        *CLICK,
        *ICON,
        *MARKDOWN,
        *ACTIONS,
        *ATTACH,
        *FILENAME,
        *DELAY,
        *EMAIL,
        *CALL,
    )
)
"""All names that mean something, as headers and as parameters."""

OWN_HEADERS = frozenset({"x-title", "x-priority", "x-tags"})
"""Headers that the server's own API has too."""

HEADER_NAMES = frozenset(name.encode() for name in NAMES - OWN_HEADERS)
"""Headers of ntfy's alone: a request without them is read as it always was."""

WORDS = {"max": 1, "urgent": 1, "high": 2, "default": 3, "low": 4, "min": 5}
"""Priorities by name: they say the same on every scale."""

TRIGGERED = "triggered"
"""What a message without a text says."""

_OF_BROWSERS = re.compile(r"u=[0-7](?:,\s*i(?:=\?[01])?)?|i")
"""`Priority` as RFC 9218 has it: browsers and proxies send it of themselves, and mean the request, not the message."""

_TRUE = ("1", "yes", "true")


class Scale(Enum):
    """Which end of the numbers 1 to 5 is the important one."""

    NOTIFER = "1 is the most important"
    NTFY = "5 is the most important"


@dataclass(frozen=True, slots=True)
class Said:
    """Headers and parameters of a request that mean something here, by lower-case name.

    Args:
        headers: Values as HTTP hands them over, Latin-1 text.
        parameters: Of the query, the same as if they were headers.
    """

    headers: dict[str, str]
    parameters: dict[str, str]

    @classmethod
    def of(cls, headers: Iterable[tuple[bytes, bytes]], parameters: Iterable[tuple[str, str]]) -> Said:
        """Pick them.

        Raises:
            Misfit: A header is there twice, with different values.
        """
        found: dict[str, str] = {}
        for raw_name, raw_value in headers:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1").strip()
            if name not in NAMES or (name == "priority" and _OF_BROWSERS.fullmatch(value)):
                continue
            if name in TAGS and found.get(name):
                found[name] += f",{value}"
            elif found.setdefault(name, value) != value:
                raise Misfit(name.title(), "is sent more than once, with different values")
        picked: dict[str, str] = {}
        for parameter, text in parameters:
            if parameter.lower() in NAMES:
                picked.setdefault(parameter.lower(), text.encode("utf-8", "surrogatepass").decode("latin-1"))
        return cls(found, picked)

    def get(self, names: Iterable[str]) -> str | None:
        """The first of these that says something, headers before parameters; as a header has it."""
        for values in (self.headers, self.parameters):
            for name in names:
                if values.get(name):
                    return values[name]
        return None

    def text(self, field: str, names: Iterable[str]) -> str | None:
        """The same, decoded.

        Raises:
            Misfit: It is not UTF-8.
        """
        value = self.get(names)
        return None if value is None else read_header(field, value)

    def priority(self, own: Scale) -> int | None:
        """The message's priority, 1 being the most important; None when nothing is said about it.

        Args:
            own: What a number in `X-Priority` means; every other number is on ntfy's scale.

        Raises:
            Misfit: It is neither a number nor a word that means one.
        """
        value = self.get(PRIORITY)
        if value is None:
            return None
        return read_priority(value, own if self.headers.get("x-priority") else Scale.NTFY)


def read_priority(text: str, scale: Scale) -> int:
    """A priority as text, 1 being the most important in what comes back.

    Raises:
        Misfit: It is neither a number nor a word that means one.
    """
    text = text.strip().lower()
    if text in WORDS:
        return WORDS[text]
    if len(text) == 1 and text.isascii() and text.isdigit() and HIGHEST_PRIORITY <= int(text) <= LOWEST_PRIORITY:
        return int(text) if scale is Scale.NOTIFER else flipped(int(text))
    raise Misfit("priority", f"is a whole number from {HIGHEST_PRIORITY} to {LOWEST_PRIORITY}")


def flipped(priority: int) -> int:
    """The same priority on the other scale."""
    return HIGHEST_PRIORITY + LOWEST_PRIORITY - priority


def read_extras(said: Said, content_type: str | None) -> Extras:
    """What headers and parameters say that the message has beside its text.

    Raises:
        Misfit: A value cannot be taken.
    """
    if said.get(CALL) is not None:
        raise Misfit("call", "is not possible here: this server telephones nobody")
    click, icon = said.text("click", CLICK), said.text("icon", ICON)
    actions, attach = said.text("actions", ACTIONS), said.text("attach", ATTACH)
    is_markdown = (said.get(MARKDOWN) or "").lower() in _TRUE
    is_markdown |= (content_type or "").partition(";")[0].strip().lower() == "text/markdown"
    return Extras(
        click=UNSET if click is None else check_target("click", click),
        icon=UNSET if icon is None else check_target("icon", icon, web_only=True),
        markdown=is_markdown or UNSET,
        actions=(read_actions(actions) or UNSET) if actions is not None else UNSET,
        attachment=UNSET if attach is None else check_attachment(attach, said.text("filename", FILENAME)),
    )
