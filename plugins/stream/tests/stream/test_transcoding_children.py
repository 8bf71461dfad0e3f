"""Children: how they are started, and how every one of them ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import structlog
import trio
from structlog.testing import capture_logs

from manor import Clock
from manor_stream.logbook import Logbook
from manor_stream.transcoding import strays
from manor_stream.transcoding.abilities import KnownAbilities, NoFfmpeg
from manor_stream.transcoding.children import ENCODER_NICENESS, ChildFailed, end, environment, output_of, start
from manor_stream.transcoding.encoder import Deadlines, Encoder, EncoderGone
from manor_stream.transcoding.offline_clip import Clip, Clips, clip_arguments
from manor_stream.transcoding.progress import Progress
from tests.stream_broadcast import until

USUAL = Deadlines()


def python(program: str) -> list[str]:
    return [sys.executable, "-S", "-c", program]


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


# --- Any child ---------------------------------------------------------------------------------------------------


async def test_a_child_gives_way_to_the_daemon_and_may_use_every_processor() -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        process = await start(["sleep", "10"], niceness=ENCODER_NICENESS)
    finally:
        os.sched_setaffinity(0, before)
    try:
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == os.getpriority(os.PRIO_PROCESS, 0) + ENCODER_NICENESS
        assert os.sched_getaffinity(process.pid) >= before
        assert os.getsid(process.pid) == process.pid
    finally:
        await end(process)


def test_a_child_gets_no_secrets_and_no_proxy() -> None:
    ours = {
        "PATH": "/bin",
        "MANOR_STREAM__KEY": "secret",
        "http_proxy": "http://proxy",
        "HTTPS_PROXY": "x",
        "HOME": "/",
    }

    assert environment(ours) == {"PATH": "/bin", "HOME": "/"}


async def test_what_no_command_may_say_is_in_the_environment() -> None:
    process = await start(["sh", "-c", 'echo "$http_proxy"; read go'], niceness=0, variables={"http_proxy": "a secret"})
    try:
        assert process.stdout is not None
        with trio.fail_after(10):
            assert await process.stdout.receive_some() == b"a secret\n"
        assert b"secret" not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
    finally:
        await end(process)


async def test_what_a_child_writes_is_given_back() -> None:
    assert await output_of(["cat"], b"video" * 100_000, seconds=10) == b"video" * 100_000


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["/nowhere/ffmpeg"], "No such file"),
        (["/etc/passwd"], "Permission denied"),
        (["sh", "-c", "echo it is broken >&2; exit 3"], "it is broken"),
        (["sh", "-c", "exit 3"], "ended with 3"),
        (["sh", "-c", "kill -9 $$"], "ended with -9"),
        (["head", "-c", "5000", "/dev/zero"], "more than 1000 bytes"),
    ],
)
async def test_a_child_that_fails_says_why(argv: list[str], reason: str) -> None:
    with pytest.raises(ChildFailed, match=reason):
        await output_of(argv, seconds=10, most_bytes=1000)


async def test_a_child_that_takes_too_long_is_ended() -> None:
    with pytest.raises(ChildFailed, match="longer than"):
        await output_of(["sleep", "60"], seconds=0.05)


async def test_a_child_that_reads_nothing_holds_nobody_up() -> None:
    assert await output_of(["echo", "done"], bytes(1_000_000), seconds=10) == b"done\n"


# --- The encoder -------------------------------------------------------------------------------------------------


class Watched:
    """An encoder that is not ffmpeg."""

    def __init__(self, folder: Path, program: str, deadlines: Deadlines = USUAL) -> None:
        self.reports: list[Progress] = []
        self.encoder = Encoder(
            python(program), folder=folder, secret="s3cret", on_progress=self.reports.append, deadlines=deadlines
        )


async def started(encoder: Encoder, nursery: trio.Nursery) -> None:
    await encoder.start()
    nursery.start_soon(encoder.watch)


async def test_what_an_encoder_says_is_kept_without_the_secret(tmp_path: Path, nursery: trio.Nursery) -> None:
    said = "import sys; [print(f'line {n} http://127.0.0.1/s3cret/0', file=sys.stderr) for n in range(80)]"
    encoder = Watched(tmp_path, said).encoder
    await started(encoder, nursery)
    await encoder.ended.wait()

    assert len(encoder.lines) == 50
    assert encoder.complaint == "line 79 http://127.0.0.1/…/0"


async def test_its_progress_is_told(tmp_path: Path, nursery: trio.Nursery) -> None:
    watched = Watched(tmp_path, "print('out_time_us=1500000\\nspeed=1.5x\\nprogress=end', flush=True)")
    await started(watched.encoder, nursery)
    await watched.encoder.ended.wait()

    assert watched.reports == [Progress(1.5, 1.5, 0, 0)]


async def test_an_encoder_that_ended_takes_nothing(tmp_path: Path, nursery: trio.Nursery) -> None:
    encoder = Watched(tmp_path, "raise SystemExit(3)").encoder
    await started(encoder, nursery)
    await encoder.ended.wait()

    with pytest.raises(EncoderGone):
        await encoder.write(b"video")
    assert encoder.complaint == "it ended with 3"
    await encoder.finish()


async def test_an_encoder_that_has_read_all_ends_by_itself(tmp_path: Path, nursery: trio.Nursery) -> None:
    encoder = Watched(tmp_path, "import sys; print(len(sys.stdin.buffer.read()), file=sys.stderr)").encoder
    await started(encoder, nursery)
    await encoder.write(b"video")
    await encoder.finish()

    assert encoder.complaint == "5"


@pytest.mark.parametrize("is_deaf", [False, True])
async def test_one_that_does_not_end_is_made_to(tmp_path: Path, nursery: trio.Nursery, is_deaf: bool) -> None:
    ignoring = f"import signal, sys, time; signal.signal(signal.SIGTERM, signal.{'SIG_IGN' if is_deaf else 'SIG_DFL'});"
    staying = f"{ignoring} print('ready', file=sys.stderr, flush=True); time.sleep(60)"
    encoder = Watched(tmp_path, staying, Deadlines(finish=0.05, term=0.05)).encoder
    await started(encoder, nursery)
    await until(lambda: encoder.lines)
    await encoder.finish()

    assert encoder.complaint == "ready"
    assert encoder._process is not None
    assert encoder._process.returncode == -(signal.SIGKILL if is_deaf else signal.SIGTERM)


SCRIPT = """
import subprocess, sys
left = subprocess.Popen([sys.executable, "-S", "-c", "import time; print(1, flush=True); time.sleep(60)"])
print(left.pid, file=sys.stderr, flush=True)
"""


@pytest.mark.parametrize("then", ["left.wait()", "sys.stdin.read()", "raise SystemExit(3)"])
async def test_what_a_script_around_the_encoder_has_started_ends_with_it(
    tmp_path: Path, nursery: trio.Nursery, then: str
) -> None:
    encoder = Watched(tmp_path, SCRIPT + then, Deadlines(finish=0.05, term=5)).encoder
    await started(encoder, nursery)
    await until(lambda: encoder.lines)
    with trio.fail_after(10):
        await encoder.finish()

    await until(lambda: strays.start_of(int(encoder.lines[0])) is None)


async def test_a_script_that_is_asked_leaves_nothing_behind(tmp_path: Path) -> None:
    left = tmp_path / "left"
    with pytest.raises(ChildFailed, match="longer than"):
        await output_of(["sh", "-c", f"(trap '' TERM; exec sleep 60) & echo $! > {left}; wait"], seconds=0.3)

    await until(lambda: strays.start_of(int(left.read_text())) is None)


async def test_one_that_takes_nothing_is_taken_for_dead(tmp_path: Path, nursery: trio.Nursery) -> None:
    encoder = Watched(tmp_path, "import time; time.sleep(60)", Deadlines(stuck=0.1)).encoder
    await started(encoder, nursery)

    with pytest.raises(EncoderGone):
        await encoder.write(bytes(1_000_000))
    await encoder.ended.wait()
    assert "took nothing" in encoder.complaint


async def test_an_encoder_goes_with_its_daemon(tmp_path: Path) -> None:
    encoder = Watched(tmp_path, "import time; time.sleep(60)").encoder
    async with trio.open_nursery() as nursery:
        await started(encoder, nursery)
        pid = encoder.pid
        assert (tmp_path / strays.NAME).exists()
        nursery.cancel_scope.cancel()

    assert strays.start_of(pid) is None
    assert not (tmp_path / strays.NAME).exists()


# --- Strays ------------------------------------------------------------------------------------------------------


@pytest.fixture
def logbook(clock: Clock) -> Logbook:
    return Logbook(clock, structlog.get_logger())


async def test_an_encoder_that_was_left_behind_is_ended(tmp_path: Path, logbook: Logbook) -> None:
    left = subprocess.Popen(["sleep", "60"])  # noqa: ASYNC220 - nobody of ours waits for it
    strays.note(tmp_path, left.pid)
    with capture_logs():
        await strays.reap(tmp_path, logbook)

    assert await trio.to_thread.run_sync(left.wait) == -signal.SIGTERM
    assert not (tmp_path / strays.NAME).exists()
    assert [line.level for line in logbook.newest_first()] == ["warning"]


@pytest.mark.parametrize("changed", [{"started": 1}, {"boot": "another"}])
async def test_another_process_with_its_number_is_left_alone(
    tmp_path: Path, logbook: Logbook, changed: dict[str, object]
) -> None:
    other = subprocess.Popen(["sleep", "60"])  # noqa: ASYNC220 - nobody of ours waits for it
    try:
        strays.note(tmp_path, other.pid)
        noted = msgspec.json.decode((tmp_path / strays.NAME).read_bytes())
        (tmp_path / strays.NAME).write_bytes(msgspec.json.encode({**noted, **changed}))
        await strays.reap(tmp_path, logbook)

        assert other.poll() is None
        assert logbook.newest_first() == []
    finally:
        other.kill()
        other.wait()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"pid": "x"}', '{"pid": -1, "started": 0, "boot": ""}', "\0"])
async def test_a_note_that_makes_no_sense_harms_nobody(tmp_path: Path, logbook: Logbook, text: str) -> None:
    (tmp_path / strays.NAME).write_text(text)
    await strays.reap(tmp_path, logbook)

    assert not (tmp_path / strays.NAME).exists()


async def test_without_a_note_there_is_nothing_to_end(tmp_path: Path, logbook: Logbook) -> None:
    await strays.reap(tmp_path, logbook)

    assert logbook.newest_first() == []


# --- What ffmpeg can do --------------------------------------------------------------------------------------------


async def test_ffmpeg_is_asked_once(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    program = script(tmp_path / "ffmpeg", f'echo "$*" >> {calls}; exec ffmpeg "$@"')
    known = KnownAbilities()
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(known.ask, program)
    abilities = await known.ask(program)

    assert len(calls.read_text().splitlines()) == 2
    assert "libx264" in abilities.codecs
    assert abilities.number >= (4, 0)


async def test_another_program_in_its_place_is_asked_anew(tmp_path: Path) -> None:
    program = tmp_path / "ffmpeg"
    script(program, "echo ffmpeg version 4.4 Copyright")
    known = KnownAbilities()
    assert (await known.ask(str(program))).number == (4, 4)
    script(program, "echo ffmpeg version 7.1 Copyright")
    os.utime(program, ns=(1, 1))

    assert (await known.ask(str(program))).number == (7, 1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("exit 1", "does not work"),
        ("echo a shell", "another program"),
        ("echo avconv version 12", "another program"),
    ],
)
async def test_what_is_not_ffmpeg_is_said_to_be_none(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(NoFfmpeg, match=reason):
        await KnownAbilities().ask(script(tmp_path / "ffmpeg", text))


@pytest.mark.parametrize("program", ["no-such-ffmpeg", "/nowhere/ffmpeg", "/etc/passwd", "/tmp", ""])
async def test_an_ffmpeg_that_is_not_there_is_missed(program: str) -> None:
    with pytest.raises(NoFfmpeg, match="no ffmpeg"):
        await KnownAbilities().ask(program)


# --- The offline clip ----------------------------------------------------------------------------------------------


async def test_a_clip_is_made_once_and_found_by_the_next_daemon(tmp_path: Path) -> None:
    clip = Clip(160, 90, 15, has_video=True, has_audio=True)
    made = await Clips(tmp_path).make("ffmpeg", clip)

    assert made is not None
    assert made[0] == 0x47
    assert await Clips(tmp_path).make("/nowhere/ffmpeg", clip) == made


@pytest.mark.parametrize(
    ("clip", "contains", "lacks"),
    [
        (Clip(160, 90, 15, has_video=True, has_audio=True), ("s=160x90:r=15", "libx264", "aac"), ()),
        (Clip(0, 0, 0, has_video=True, has_audio=True), ("s=1280x720:r=30",), ()),
        (Clip(161, 91, 240, has_video=True, has_audio=False), ("s=162x92:r=60",), ("aac",)),
        (Clip(0, 0, 0, has_video=False, has_audio=True), ("aac",), ("libx264",)),
    ],
)
def test_a_clip_is_as_the_broadcast_was(clip: Clip, contains: tuple[str, ...], lacks: tuple[str, ...]) -> None:
    command = " ".join(clip_arguments("ffmpeg", clip))

    assert all(word in command for word in contains)
    assert not any(word in command for word in lacks)


def test_every_clip_has_a_name_of_its_own() -> None:
    clips = [Clip(width, 90, 15, has_video=True, has_audio=audio) for width in (160, 320) for audio in (False, True)]

    assert len({clip.name for clip in clips}) == 4


async def test_a_clip_that_cannot_be_made_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ChildFailed):
        await Clips(tmp_path).make("/nowhere/ffmpeg", Clip(160, 90, 15, has_video=True, has_audio=True))

    assert list(tmp_path.rglob("*.ts")) == []
