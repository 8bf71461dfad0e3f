"""What tests of the stream's pages look at: a page's policy, a daemon with a stream, and a real encoder."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from base64 import b64encode
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


def have(origin: str, path: str, value: object) -> None:
    """Have a daemon's admin do something, as another program does: `path` is below `/api/admin/`."""
    secret = b64encode(f"admin:{KEY}".encode()).decode()
    headers = {"Authorization": f"Basic {secret}", "Content-Type": "application/json"}
    asked = urllib.request.Request(f"{origin}/api/admin/{path}", json.dumps({"value": value}).encode(), headers)
    urllib.request.urlopen(asked, timeout=60).close()


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
