"""Bundles that are damaged, wrong or hostile: each line that cannot be carried over is told, and the rest goes in."""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest

from manor import Conflict, ManorError, Refused
from manor.testing import House
from manor_chat.commands import Export
from tests.chat_moving import (
    SMALL,
    T0,
    as_lines,
    exported,
    imported,
    in_team,
    line,
    post,
    team,
    user,
    zipped,
)
from tests.chat_people import Crew

AFTER = post("it goes on", 9)

WRONG: list[tuple[str, Any, str]] = [
    ("no json", b'{"type": "post", ', "it cannot be read"),
    ("no utf-8", b'{"type": "post\xff"}', "it cannot be read"),
    ("a list", b"[1, 2]", "it cannot be read"),
    ("deeply nested", b'{"type":"post","post":' + b"[" * 5000 + b"]" * 5000 + b"}", ""),
    ("a lone surrogate", b'{"type": "post", "post": {"team": "\\ud800"}}', ""),
    ("an unknown type", line("meeting", name="x"), "there are no lines of type 'meeting'"),
    ("an empty line of its type", {"type": "post"}, "post: it says nothing of one"),
    ("a text for a number", post("x", 1) | {"post": {**post("x", 1)["post"], "create_at": "now"}}, "Expected `int`"),
    ("the year 9999", post("x", 253402300799999 - T0), "Expected `int` <="),
    ("before all time", post("x", -2 * T0), "Expected `int` >= 0"),
    ("no time", post("x", -T0), "it does not say when it was written"),
    ("an unknown author", post("x", 1, by="nobody"), "its author nobody is nobody here"),
    ("an unknown channel", post("x", 1, channel="nowhere"), "there is no channel nowhere in a team crew"),
    ("a long message", post("x" * 16_384, 1), "it is longer than 16383 characters"),
    ("an ephemeral post", post("x", 1, type="system_ephemeral"), "no post is of the type 'system_ephemeral'"),
    ("long props", post("x", 1, props={"a": "x" * 800_001}), "its props are longer than"),
    (
        "a reaction of nobody",
        post("ok1", 2, reactions=[{"user": "no", "emoji_name": "x", "create_at": 1}]),
        "no is nobody",
    ),
    (
        "an emoji of no name",
        post("ok2", 3, reactions=[{"user": "ann", "emoji_name": "a b", "create_at": 1}]),
        "no emoji",
    ),
    ("saved by nobody", post("ok3", 4, flagged_by=["no"]), "saved by no, who is nobody here"),
    (
        "a reply of nobody",
        post("ok4", 5, replies=[{"user": "no", "message": "x", "create_at": T0}]),
        "reply: its author",
    ),
    ("a short name", user("ab"), "user ab: username: expected 3 to 64 characters"),
    ("a reserved name", user("channel"), "user channel: username: 'channel' is reserved"),
    ("no address", line("user", username="lost"), "user lost: has no e-mail address"),
    ("a taken address", line("user", username="other", email="ann@example.org"), "user other: email: is taken"),
    ("a bad address", line("user", username="other", email="nope"), "user other: email: expected an e-mail address"),
    ("a long nickname", user("len", nickname="x" * 65), "user len: nickname is longer than 64"),
    ("a bad theme", user("tim", theme="{"), "user tim: a preference cannot be that"),
    ("no such team", user("tom", [in_team("nowhere")]), "there is no team nowhere to be in"),
    ("no such channel", user("ted", [in_team("crew", "nowhere")]), "there is no channel nowhere in team crew"),
    (
        "a setting that is none",
        user("tea", [{"name": "crew", "channels": [{"name": "off-topic", "notify_props": {"desktop": "loud"}}]}]),
        "the setting desktop cannot be that",
    ),
    ("a team of a bad name", team("../x"), "no team may be called so"),
    ("a reserved team", team("api"), "team api: no team may be called so"),
    ("a channel of a bad name", line("channel", team="crew", name="a b", type="O"), "Invalid channel name"),
    ("a channel of no team", line("channel", team="nowhere", name="x", type="O"), "there is no team nowhere"),
    ("a bot called like a person", line("bot", username="ann", owner="bob"), "bot ann: a person of this server"),
    ("an orphaned bot", line("bot", username="robot", owner="com.example"), "its owner 'com.example' is nobody here"),
    ("a conversation with nobody", line("direct_channel", members=["ann", "no"]), "is not known here"),
    ("an empty conversation", line("direct_channel", members=[]), "nobody is in this conversation"),
    (
        "a post of no conversation",
        line("direct_post", channel_members=["no"], user="ann", message="x", create_at=T0),
        "there is no conversation",
    ),
    ("an emoji without a picture", line("emoji", name="party", image="none.png"), "emoji party: it is not there"),
    ("an emoji that is built in", line("emoji", name="smile", image="x"), "emoji: none can be called 'smile'"),
]


async def test_every_wrong_line_is_told_by_its_number_and_the_rest_goes_in(house: House, tmp_path: Path) -> None:
    raw = as_lines(SMALL)
    for _, wrong, _ in WRONG:
        raw += wrong + b"\n" if isinstance(wrong, bytes) else as_lines([wrong])
    (tmp_path / "in.jsonl").write_bytes(raw + b"\n" + as_lines([AFTER]).rstrip())

    report = await imported(house, tmp_path / "in.jsonl")

    told: dict[int, str] = {}
    for each in report.troubles:
        told[each.line] = f"{told.get(each.line, '')} {each.what}"
    first = len(SMALL) + 1
    missing = {
        name: told.get(first + at) for at, (name, _, what) in enumerate(WRONG) if what not in told.get(first + at, "-")
    }
    assert missing == {}
    assert not set(told) - set(range(first, first + len(WRONG)))
    # Four posts with something wrong about them, and the one at the end.
    assert (report.made["posts"], report.made["bots"], report.lines) == (5, 1, len(SMALL) + len(WRONG) + 1)
    again = await imported(house, tmp_path / "in.jsonl")
    assert (again.made, again.troubles) == ({}, report.troubles)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([], "there are no lines in it"),
        ([team()], "line 1: expected a version line of the format 1"),
        ([{"type": "version", "version": 2}], "line 1: expected a version line of the format 1"),
        ([{"type": "version", "version": "1"}], "line 1: expected a version line of the format 1"),
    ],
)
async def test_what_is_not_of_this_format_is_refused_whole(
    house: House, tmp_path: Path, lines: list[Any], why: str
) -> None:
    with pytest.raises(Refused, match=why):
        await imported(house, zipped(tmp_path / "in.zip", lines))


async def test_what_is_no_bundle_is_refused(house: House, tmp_path: Path) -> None:
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 and no more")
    with zipfile.ZipFile(tmp_path / "none.zip", "w") as archive:
        archive.writestr("notes.txt", "x")
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.jsonl", as_lines(SMALL))
        archive.writestr("b.jsonl", as_lines(SMALL))
    os.mkfifo(tmp_path / "pipe.jsonl")
    for name, why in {
        "broken.zip": "it is no zip file",
        "none.zip": "expected one .jsonl file in it, found 0",
        "two.zip": "expected one .jsonl file in it, found 2",
        "missing.zip": "there is no such file",
        "pipe.jsonl": "it is no file",
        ".": "it is no file",
    }.items():
        with pytest.raises(Refused, match=why):
            await imported(house, tmp_path / name)
    with pytest.raises(Refused, match="expected an absolute path"):
        await imported(house, Path("in.zip"))


def hostile(path: Path, attachments: list[str], *, bomb: int = 0) -> Path:
    """A zip whose post names these files; with a member of that many zeros and with a link."""
    lines = [*SMALL, *(post(f"see {name}", at, attachments=[{"path": name}]) for at, name in enumerate(attachments, 1))]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("import.jsonl", as_lines(lines))
        archive.writestr("data/bomb.bin", b"\0" * bomb)
        link = zipfile.ZipInfo("data/link.txt")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("data/large.bin", os.urandom(3000))
        archive.writestr("data/damaged.bin", os.urandom(3000))
    whole = bytearray(path.read_bytes())
    at = whole.index(b"data/damaged.bin") + 100
    whole[at : at + 50] = bytes(50)
    path.write_bytes(whole)
    return path


@pytest.mark.manor(config={"plugins": {"chat": {"max_file_bytes": 5_000_000}}})
async def test_files_of_a_zip_that_are_not_taken(house: House, tmp_path: Path) -> None:
    names = ["../../etc/passwd", "/etc/passwd", "link.txt", "bomb.bin", "damaged.bin", "a\x00b", "", "data"]
    report = await imported(house, hostile(tmp_path / "in.zip", names, bomb=4_900_000))
    told = [each.what for each in report.troubles]
    assert [what.partition(": ")[2].partition(":")[0] for what in told] == [
        "its path leads out of the archive",
        "its path leads out of the archive",
        "it is a link",
        "it grows out of all proportion when it is unpacked",
        "it cannot be read",
        "its path leads out of the archive",
        "its path leads out of the archive",
        "it is not there",
    ]
    assert report.made["posts"] == len(names)
    assert "files" not in report.made
    assert not list((house.loaded.data_dir / "blobs").rglob("files/*/*"))


@pytest.mark.manor(config={"plugins": {"chat": {"max_file_bytes": 2048}}})
async def test_files_of_a_folder_that_are_not_taken(house: House, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    (folder / "data").mkdir(parents=True)
    (tmp_path / "outside.txt").write_bytes(b"secret")
    (folder / "data/out.txt").symlink_to(tmp_path / "outside.txt")
    (folder / "data/loop.txt").symlink_to("loop.txt")
    (folder / "data/large.bin").write_bytes(bytes(2049))
    os.mkfifo(folder / "data/pipe")
    names = {
        "out.txt": "it is a link that leads out of the archive",
        "../outside.txt": "its path leads out of the archive",
        "loop.txt": "it is not there",
        "pipe": "it is no file",
        "large.bin": "it has 2049 bytes, and 2048 are taken",
    }
    lines = [*SMALL, *(post(name, at, attachments=[{"path": name}]) for at, name in enumerate(names, 1))]
    (folder / "in.jsonl").write_bytes(as_lines(lines))

    report = await imported(house, folder / "in.jsonl")

    assert [each.what for each in report.troubles] == [f"file {name}: {why}" for name, why in names.items()]


async def test_a_line_without_end_is_passed_over(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manor_chat.moving.bundle.MOST_LINE", 2000)
    monkeypatch.setattr("manor_chat.moving.bundle._CHUNK", 512)
    report = await imported(
        house, zipped(tmp_path / "in.zip", [*SMALL, post("x" * 3000, 1), AFTER, post("y" * 3000, 2)])
    )
    assert [each.line for each in report.troubles] == [5, 7]
    assert report.made["posts"] == 1


async def test_an_export_overwrites_nothing_and_is_its_owners_alone(house: House, crew: Crew, tmp_path: Path) -> None:
    await exported(house, tmp_path / "out.zip")
    assert stat.S_IMODE((tmp_path / "out.zip").stat().st_mode) == 0o600
    before = (tmp_path / "out.zip").read_bytes()
    for path, error in {
        tmp_path / "out.zip": Conflict,
        tmp_path / "nowhere" / "out.zip": ManorError,
        Path("out.zip"): ManorError,
    }.items():
        with pytest.raises(error):
            await house.commands["chat.export"].run(Export(path=str(path)))
    assert (tmp_path / "out.zip").read_bytes() == before
    assert [each.name for each in tmp_path.glob("*.part")] == []


async def test_a_trouble_that_many_lines_have_hides_no_other(house: House, tmp_path: Path) -> None:
    lines = [*SMALL, *(post("x", at, by="nobody") for at in range(25)), post("x", 26, by="noone"), AFTER]
    report = await imported(house, zipped(tmp_path / "in.zip", lines))

    told = [each.what for each in report.troubles]
    assert told == ["post: its author nobody is nobody here"] * 10 + ["post: its author noone is nobody here"]
    assert report.trouble_count == 26
    assert report.made["posts"] == 1
