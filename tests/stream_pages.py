"""What tests of the stream's pages look at: a page's policy, a daemon with a stream, and a real encoder."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from manor.testing import Answer

KEY = "a-stream-key-for-tests"


def policy_of(answer: Answer) -> dict[str, str]:
    """A page's Content-Security-Policy, by directive."""
    directives = answer.headers["Content-Security-Policy"].split("; ")
    return dict(each.split(" ", 1) for each in directives)


def stream_tables(folder: Path, rtmp_port: int) -> dict[str, Any]:
    """The configuration of a daemon with the stream in it."""
    path = folder / "stream-key"
    path.write_text(KEY)
    return {"plugins": {"stream": {"enabled": True, "key_file": str(path), "rtmp_bind": f"127.0.0.1:{rtmp_port}"}}}


@contextmanager
def publishing(rtmp_port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Somebody publishes a test picture and a tone with ffmpeg; they leave as people do, when this ends."""
    command = (
        "ffmpeg -v error -re -f lavfi -i testsrc2=size=320x180:rate=30 -f lavfi -i sine=sample_rate=48000 "
        "-c:v libx264 -preset ultrafast -tune zerolatency -g 30 -pix_fmt yuv420p -c:a aac -f flv "
        f"rtmp://127.0.0.1:{rtmp_port}/live/{KEY}"
    )
    with subprocess.Popen(command.split(), stdin=subprocess.DEVNULL) as publisher:
        try:
            yield publisher
        finally:
            publisher.terminate()
