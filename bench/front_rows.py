"""What `bench.front` measures: publishing, deliveries, waiting streams, chat, segments, and all with two processes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import tomli_w

from bench.chat_house import chatting
from bench.contests import Side, contest
from bench.hls import measured, servers
from bench.hls_daemon import SEGMENT
from bench.loads import Figures, driven, header_file, quietest
from bench.nchan import NCHAN, nchan
from bench.publisher import keys_for
from bench.scenarios import IDLE_STREAMS, MANOR, Speech
from bench.server import Server
from manor.config import load as read_configuration
from manor.errors import AdminFault

SUBSCRIBERS = 1000
STEADY = 10
"""Messages a second, each to all of them."""

MOST_PUBLISHED = {1: 3_000, 16: 20_000, 64: 30_000, 256: 60_000}
"""What keys have to suffice for, in publishes a second, by how many of them wait for an answer at a time."""

MOST_FANNED_OUT = 2_000
"""The same where each goes to all subscribers."""

PEOPLE = 200
POSTERS = 16


@dataclass(frozen=True)
class Setting:
    """How everything is measured.

    Args:
        loadgen: The load generator.
        furnish: Gives a house the topic and the keys.
        keys: The file of the headers that publishes have in turn.
        seconds: Of load in each run.
        rounds: How often whoever stands beside is measured.
        tries: Of a run that others disturb.
        scratch: Where the data goes.
        nchan: The module of the nchan that stands beside; None for none.
    """

    loadgen: Path
    furnish: Callable[[Path], None]
    keys: str
    seconds: int
    rounds: int
    tries: int
    scratch: Path
    nchan: Path | None

    def ours(self, most: int) -> Speech:
        """How to speak to the daemon, with keys for so many publishes a second."""
        keys = ["--hdr-file", self.keys, "--hdr-most", str(keys_for(most * self.seconds))]
        return replace(MANOR, publish=[*MANOR.publish, *keys])

    def published(self, connections: int, *, depth: int = 1) -> list[str]:
        """The load of a row that publishes."""
        return self.ours(MOST_PUBLISHED[connections * depth]).publishing(connections, self.seconds, depth=depth)

    def delivered(self, kind: str, *, rate: int = 0) -> list[str]:
        """The load of a row that delivers."""
        return self.ours(MOST_FANNED_OUT).fan_out(kind, SUBSCRIBERS, self.seconds, rate=rate)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        name: What is measured.
        kind: publish, fan-out, steady, idle, chat or segments: which figures are shown.
        run: Measures it; see `contest`.
    """

    name: str
    kind: str
    run: Callable[[], Figures]


def rows(setting: Setting) -> Iterator[Row]:
    """All of them, the first first."""
    yield from _publishing(setting)
    yield from _deliveries(setting)
    yield from _idle(setting)
    yield from _chat(setting)
    yield Row("HLS segments beside nginx", "segments", partial(_segments, setting))


def rows_of_two_processes(setting: Setting) -> Iterator[Row]:
    """The first rows again with two stream processes and with none, neither on a core of its own."""
    loads = {
        "publish, 64 connections": ("publish", setting.published(64)),
        "publish, 16 connections, 16 deep": ("publish", setting.published(16, depth=16)),
        **{f"{kind} 1 to {SUBSCRIBERS:,}, max": ("fan-out", setting.delivered(kind)) for kind in MANOR.streams},
    }
    for name, (kind, load) in loads.items():
        two, none = (
            Side(f"processes = {count}", partial(_manor, setting, load, settings={"processes": count}, is_pinned=False))
            for count in (2, 0)
        )
        yield Row(f"unpinned: {name}", kind, partial(contest, KEYS[kind], two, none, setting.rounds, is_between=False))


def why_no_processes() -> str:
    """Why more than one process cannot be measured; "" when it can."""
    with tempfile.TemporaryDirectory(prefix="manor-bench-") as folder:
        config = Path(folder) / "config.toml"
        config.write_text(tomli_w.dumps({"server": {"data_dir": folder, "processes": 2}}))
        try:
            read_configuration(config, os.environ)
        except AdminFault as fault:
            return f"two processes are not measured, as the configuration has no such key: {fault}"
    return ""


KEYS: Mapping[str, str] = {
    "publish": "msgs_per_s",
    "fan-out": "deliveries_per_s",
    "steady": "del_p99_ms",
    "idle": "rss_per_conn_bytes",
    "chat": "msgs_per_s",
    "segments": "per_s",
}
"""Of each kind of row, the figure whose ratio counts."""


# --- The rows --------------------------------------------------------------------------------------------------------


def _publishing(setting: Setting) -> Iterator[Row]:
    for connections in (1, 16, 64):
        load = setting.published(connections)
        # Only with the most: nchan, which writes nothing to a disk, shows there what the load generator has room for.
        beside = NCHAN.publishing(connections, setting.seconds) if connections == 64 else None
        yield _row(setting, f"publish, {connections} connections", "publish", load, beside)
    load = setting.published(16, depth=16)
    yield _row(setting, "publish, 16 connections, 16 deep", "publish", load)


def _deliveries(setting: Setting) -> Iterator[Row]:
    for kind in MANOR.streams:
        theirs = NCHAN.fan_out(kind, SUBSCRIBERS, setting.seconds)
        yield _row(setting, f"{kind} 1 to {SUBSCRIBERS:,}, max", "fan-out", setting.delivered(kind), theirs)
    for kind in MANOR.streams:
        name = f"{kind} 1 to {SUBSCRIBERS:,}, {STEADY}/s"
        theirs = NCHAN.fan_out(kind, SUBSCRIBERS, setting.seconds, rate=STEADY)
        yield _row(setting, name, "steady", setting.delivered(kind, rate=STEADY), theirs)


def _idle(setting: Setting) -> Iterator[Row]:
    for kind in MANOR.streams:
        name = f"{kind}, {IDLE_STREAMS:,} idle"
        yield _row(setting, name, "idle", setting.ours(STEADY).idling(kind), NCHAN.idling(kind))


def _chat(setting: Setting) -> Iterator[Row]:
    name = f"chat, {PEOPLE} connected"
    for what, pace in {
        f"{POSTERS} posters, max": ["--conns", str(POSTERS)],
        f"{STEADY}/s": ["--rate", str(STEADY)],
    }.items():
        ours = Side("Manor", partial(_chatted, setting, pace))
        yield Row(f"{name}, {what}", "chat", partial(contest, KEYS["chat"], ours, None, setting.rounds))


def _row(setting: Setting, name: str, kind: str, load: list[str], theirs: list[str] | None = None) -> Row:
    ours = Side("Manor", partial(_manor, setting, load))
    other = (
        Side("nchan", partial(_nchan, setting, theirs)) if theirs is not None and setting.nchan is not None else None
    )
    # What memory takes does not depend on what else the machine does.
    return Row(name, kind, partial(contest, KEYS[kind], ours, other, setting.rounds, is_between=kind != "idle"))


# --- One run of each -------------------------------------------------------------------------------------------------


def _manor(
    setting: Setting, load: list[str], *, settings: Mapping[str, object] = {}, is_pinned: bool = True
) -> Figures:
    def once() -> Figures:
        # A fresh one each time: growth of memory and database belongs to the run that caused it.
        with Server(setting.scratch, is_pinned=is_pinned, settings=settings, furnish=setting.furnish) as server:
            return driven([str(setting.loadgen), *load], server.target, is_pinned=is_pinned)

    return quietest(once, setting.tries)


def _nchan(setting: Setting, load: list[str]) -> Figures:
    assert setting.nchan is not None, "without it there is no such side"
    module = setting.nchan

    def once() -> Figures:
        with nchan(module) as target:
            return driven([str(setting.loadgen), *load], target)

    return quietest(once, setting.tries)


def _chatted(setting: Setting, pace: list[str]) -> Figures:
    def once() -> Figures:
        with chatting(setting.scratch, PEOPLE) as (target, crowd), header_file(crowd.tokens) as tokens:
            body = ["--body-pre", f'{{"channel_id":"{crowd.channel}","message":"', "--body-post", '"}', "--body", "100"]
            # An @ would mention somebody, and what stands between two colons be an emoji.
            posts = ["--pub-path", "/api/v4/posts", "--hdr", "Content-Type: application/json", "--mark", "=.", *body]
            people = ["--sub", "ws", "--sub-path", "/api/v4/websocket", "--subs", str(PEOPLE), "--settle", "2000"]
            files = ["--hdr-file", tokens, "--sub-hdr-file", tokens]
            load = ["fan", "--secs", str(setting.seconds), *posts, *people, *files, *pace]
            return driven([str(setting.loadgen), *load], target)

    return quietest(once, setting.tries)


def _segments(setting: Setting) -> Figures:
    with tempfile.TemporaryDirectory(prefix="manor-bench-", dir=setting.scratch) as folder, servers(folder) as targets:
        ours, files, _ = (
            Side(
                name, partial(quietest, partial(measured, target, SEGMENT, "segments", setting.seconds), setting.tries)
            )
            for name, target in zip(("Manor", "nginx", "nginx's cache"), targets, strict=True)
        )
        return contest(KEYS["segments"], ours, files, setting.rounds)
