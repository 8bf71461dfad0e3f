"""Fields of the admin's forms: how a setting stands in a form, and how it is read back. Pure."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from manor import FieldProblem
from manor_stream.setting_rules import CODECS, RULES, Unfit
from manor_stream.settings import StreamSettings

UPLOADED = "(a picture that was uploaded)"
"""Stands for a logo that is no path."""


class Kind(enum.Enum):
    """How a field looks."""

    LINE = "line"
    TEXT = "text"
    FLAG = "flag"
    NUMBER = "number"
    WORDS = "words"
    CHOICE = "choice"


@dataclass(frozen=True)
class Field:
    """One setting in a form.

    Args:
        path: Of its rule, which stands behind `/api/admin/config/`.
        label: What people read.
        kind: How it looks.
        hint: What else they should know.
        choices: Values with their labels, for `CHOICE`.
    """

    path: str
    label: str
    kind: Kind = Kind.LINE
    hint: str = ""
    choices: Sequence[tuple[str, str]] = ()

    @property
    def name(self) -> str:
        """Of the field, and of the setting."""
        return RULES[self.path].setting

    def shown(self, settings: StreamSettings) -> str:
        """The setting as it stands in the form."""
        value = getattr(settings, self.name)
        match self.kind:
            case Kind.FLAG:
                return "yes" if value else ""
            case Kind.WORDS:
                return ", ".join(value)
            case Kind.NUMBER:
                return str(value or "")
            case _:
                return UPLOADED if self.path == "logo" and value.startswith("data:") else str(value)

    def read(self, text: str) -> Any:
        """What stands in the form, of the rule's shape and checked by it.

        Raises:
            Unfit: It cannot be had.
        """
        rule = RULES[self.path]
        value: Any = text.replace("\r\n", "\n")
        if self.kind is Kind.FLAG:
            value = bool(text)
        elif self.kind is Kind.WORDS:
            value = [word for each in text.split(",") if (word := each.strip())]
        elif rule.shape is int:
            if not (text.isascii() and text.isdigit() and len(text) < 10) and text:
                raise Unfit("expected a number")
            value = int(text or 0)
        rule.fit(value)
        return value


def form_of(fields: Sequence[Field]) -> type[msgspec.Struct]:
    """The struct of a form with these fields; a field that is not sent is empty, as a box that is not ticked."""
    return msgspec.defstruct("SettingsForm", [(field.name, str, "") for field in fields], frozen=True)


def read_changes(
    fields: Sequence[Field], typed: Mapping[str, str], settings: StreamSettings
) -> tuple[dict[str, Any], list[FieldProblem]]:
    """What a form changes, by the rules' paths, and what is wrong with it.

    Args:
        fields: Of the form.
        typed: What was sent, by the fields' names.
        settings: As they are; what the form leaves as it is is not looked at.
    """
    changes: dict[str, Any] = {}
    problems: list[FieldProblem] = []
    for field in fields:
        text = typed[field.name].replace("\r\n", "\n")
        if text == field.shown(settings):
            continue
        try:
            changes[field.path] = field.read(text)
        except Unfit as unfit:
            problems.append(FieldProblem(field.name, f"{unfit.where} {unfit.expected}".strip()))
    return changes, problems


TITLE = Field("streamtitle", "What is on", hint="Shown above everything else while you are live.")

GENERAL = (
    Field("name", "Name of the server"),
    Field("serversummary", "Summary", Kind.TEXT, "A sentence or two."),
    TITLE,
    Field("tags", "Tags", Kind.WORDS, "Words with commas between them."),
    Field("nsfw", "It is not for everybody", Kind.FLAG),
    Field("logo", "Logo", hint="A path on this server, such as /img/logo.png; empty: the one that comes with Manor."),
    Field("offlinemessage", "While nothing is on", Kind.TEXT, "Shown in place of the video; Markdown."),
    Field("pagecontent", "Page", Kind.TEXT, "Shown below the video; Markdown."),
    Field("customstyles", "Styles", Kind.TEXT, "CSS of the watch page."),
    Field("serverurl", "Address of this server", hint="As viewers reach it, for a directory and for links."),
    Field("directoryenabled", "Tell the directory while live, if one is configured", Kind.FLAG),
)

LATENCIES = (
    ("0", "0: lowest, segments of a second"),
    ("1", "1: low, two seconds"),
    ("2", "2: as usual, three seconds"),
    ("3", "3: steady, four seconds"),
    ("4", "4: steadiest, five seconds"),
)

VIDEO = (
    Field(
        "video/streamlatencylevel",
        "Latency",
        Kind.CHOICE,
        "Shorter segments are closer to live, and stall sooner on bad lines. From the next broadcast on.",
        LATENCIES,
    ),
    Field(
        "video/codec",
        "Encoder",
        Kind.CHOICE,
        "For qualities that are encoded here; the ffmpeg in use must have it. From the next broadcast on.",
        [(name, name) for name in CODECS],
    ),
    Field("ffmpegpath", "ffmpeg", hint="A path, in place of the configured one."),
    Field(
        "rtmpserverport", "Port for encoders", Kind.NUMBER, "In place of the configured one, from the next start on."
    ),
)

CHAT = (
    Field("chat/disable", "Switch the chat off", Kind.FLAG),
    Field("welcomemessage", "Welcome", Kind.TEXT, "Said to everybody who comes in; Markdown."),
    Field("chat/disallowedusernames", "Names that nobody has", Kind.WORDS, "Words with commas between them."),
)
