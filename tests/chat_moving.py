"""Bundles of the bulk format for tests, and what is compared of them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from manor.testing import House
from manor_chat.commands import Export, Import
from manor_chat.moving.report import Report

Said = dict[str, Any]

VERSION: Said = {"type": "version", "version": 1}
T0 = 1_600_000_000_000


def line(type_: str, **members: Any) -> Said:
    """One line."""
    return {"type": type_, type_: members}


def user(username: str, teams: Sequence[Said] = (), **more: Any) -> Said:
    """A line about a person."""
    named = {"username": username, "email": f"{username}@example.org", "roles": "system_user"}
    return line("user", **named, locale="en", teams=list(teams), **more)


def in_team(name: str, *channels: str | Said, admin: bool = False) -> Said:
    """Somebody's part in a team, and in its channels besides the default one."""
    seats: list[Said] = [{"name": "town-square", "roles": "channel_user"}]
    seats += [{"name": each, "roles": "channel_user"} if isinstance(each, str) else each for each in channels]
    return {"name": name, "roles": "team_user team_admin" if admin else "team_user", "channels": seats}


def post(message: str, at: int, by: str = "ann", channel: str = "off-topic", **more: Any) -> Said:
    """A line about a post in the team `crew`."""
    return line("post", team="crew", channel=channel, user=by, message=message, create_at=T0 + at, **more)


def team(name: str = "crew", **more: Any) -> Said:
    """A line about a team."""
    return line("team", name=name, display_name=name.title(), type="I", allow_open_invite=False, **more)


SMALL: list[Said] = [
    VERSION,
    team(),
    user("ann", [in_team("crew", "off-topic", admin=True)]),
    user("bob", [in_team("crew", "off-topic")]),
]
"""A team with two people."""


def png(colour: str = "red") -> bytes:
    """A small picture."""
    written = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(written, "PNG")
    return written.getvalue()


def as_lines(lines: Iterable[Said]) -> bytes:
    """The file of lines."""
    return b"".join(json.dumps(each).encode() + b"\n" for each in lines)


def zipped(path: Path, lines: Iterable[Said], files: Mapping[str, bytes] | None = None) -> Path:
    """A zip of lines and of files by their paths in the zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("import.jsonl", as_lines(lines))
        for name, content in (files or {}).items():
            archive.writestr(name, content)
    return path


async def imported(house: House, path: Path, *, is_dry_run: bool = False) -> Report:
    """What became of an import, as the shell is told it."""
    report: Report = await house.commands["chat.import"].run(Import(path=str(path), is_dry_run=is_dry_run))
    return report


async def exported(house: House, path: Path, *, with_files: bool = True) -> list[Said]:
    """The lines of an export."""
    await house.commands["chat.export"].run(Export(path=str(path), with_files=with_files))
    return lines_of(path)


def lines_of(path: Path) -> list[Said]:
    """The lines of a zip."""
    with zipfile.ZipFile(path) as archive, archive.open("import.jsonl") as stream:
        return [json.loads(each) for each in stream]


def compared(lines: Iterable[Said], contents: Mapping[str, bytes] | None = None) -> list[str]:
    """Lines whose order, and whose ways to say nothing, do not matter; paths of files are what is in them.

    Args:
        lines: Of one file.
        contents: Files by the paths that the lines name.
    """
    said = [each for each in lines if each["type"] != "version"]
    return sorted(json.dumps(_plain(each, contents or {}), sort_keys=True) for each in said)


def contents_of(path: Path) -> dict[str, bytes]:
    """Files in a zip by the paths that lines name."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.startswith("data/")]
        return {name.removeprefix("data/"): archive.read(name) for name in names}


def _plain(value: Any, contents: Mapping[str, bytes], key: str = "") -> Any:
    if isinstance(value, dict):
        plain = {name: _plain(each, contents, name) for name, each in value.items()}
        return {name: each for name, each in plain.items() if each not in (None, "", 0, False, [], {})}
    if isinstance(value, list):
        items = [_plain(each, contents) for each in value]
        # Posts stand in any order; so does what is done to them. Attachments are in theirs.
        return items if key == "attachments" else sorted(items, key=lambda each: json.dumps(each, sort_keys=True))
    if key in ("path", "image", "profile_image") and value in contents:
        return contents[value].hex()
    return value
