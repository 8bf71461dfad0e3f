"""Measure how far behind the camera viewers are: from a picture that an encoder makes to Chromium's showing it.

Run it as `python -m bench.glass` from the project's root, in its virtual environment; needs ffmpeg, chromium and
chromium-driver. README.md says how to read it. Every frame has the encoder's clock in it, as sixteen black or white
bars that are read back from what the watch page of a real daemon shows.
"""

from __future__ import annotations

import argparse
import base64
import json
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.reports import keep
from tests.browser.browser import Browser, start
from tests.e2e.daemon import Daemon, free_port
from tests.stream_pages import KEY, stream_tables

LEVELS = (0, 1, 2)
LIVE_WITHIN = 60.0
FRAMES = 30

# Milliseconds of the wall clock, modulo 65,536, one bit for each bar of twenty pixels.
_BARS = "255*mod(floor(mod(time(0)*1000,65536)/pow(2,floor(X/20))),2)"
_READ = """
const video = document.getElementById("video");
if (!video || !video.videoWidth || video.currentTime < 1) return null;
const canvas = document.createElement("canvas");
canvas.width = video.videoWidth; canvas.height = video.videoHeight;
const context = canvas.getContext("2d");
context.drawImage(video, 0, 0);
const now = Date.now();
const row = context.getImageData(0, Math.floor(canvas.height / 2), canvas.width, 1).data;
let bars = 0;
for (let bar = 0; bar < 16; bar += 1) if (row[(bar * 20 + 10) * 4] > 127) bars |= 1 << bar;
return [now % 65536, bars, video.currentTime];
"""


def main() -> int:
    """Measure each latency level; the exit status is 1 when a picture stood still."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="", help="write bench/results/NAME.json; without it nothing is written")
    parser.add_argument("--seconds", type=int, default=30, help="of watching, for each level")
    options = parser.parse_args()
    rows = []
    driver = start()
    try:
        for level in LEVELS:
            rows.append(_measured(Browser(driver), level, options.seconds))
            row = rows[-1]
            print(
                f"level {level}  on the page after {row['joined_seconds']:.1f} s; behind {row['p50_seconds']:.2f} s, "
                f"at most {row['max_seconds']:.2f} s; played {row['speed']:.3f} of real time",
                flush=True,
            )
    finally:
        driver.quit()
    keep(options.name, "bench.glass", rows)
    return 0 if all(row["speed"] > 0.9 for row in rows) else 1


def _measured(browser: Browser, level: int, seconds: int) -> dict[str, Any]:
    with TemporaryDirectory(prefix="manor-bench-") as folder:
        port = free_port()
        daemon = Daemon(Path(folder), stream_tables(Path(folder), port))
        daemon.start()
        try:
            _set(daemon, "video/streamlatencylevel", level)
            with _encoder(port):
                _wait_until_live(daemon)
                # As most viewers come: while it has been on for a while.
                time.sleep(15)
                began = time.monotonic()
                browser.open(f"{daemon.url}/")
                first = _first_reading(browser)
                joined = time.monotonic() - began
                behind, speed = _watch(browser, first, seconds)
        finally:
            daemon.kill()
    return {
        "level": level,
        "joined_seconds": round(joined, 2),
        "p50_seconds": round(statistics.median(behind), 2),
        "max_seconds": round(max(behind), 2),
        "speed": round(speed, 3),
        "readings": len(behind),
    }


def _watch(browser: Browser, first: list[float], seconds: int) -> tuple[list[float], float]:
    """How far behind each reading was, and how fast the video went."""
    behind, began, reading = [], time.monotonic(), first
    while time.monotonic() - began < seconds:
        time.sleep(0.2)
        reading = browser.driver.execute_script(_READ)
        behind.append(((reading[0] - reading[1]) % 65536) / 1000)
    return behind, (reading[2] - first[2]) / (time.monotonic() - began)


def _first_reading(browser: Browser) -> list[float]:
    for _ in range(int(LIVE_WITHIN / 0.1)):
        reading: list[float] | None = browser.driver.execute_script(_READ)
        if reading is not None:
            return reading
        time.sleep(0.1)
    raise TimeoutError("the page plays nothing")


@contextmanager
def _encoder(port: int) -> Iterator[None]:
    command = [
        *("ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i"),
        f"color=black:size=320x180:rate={FRAMES},format=gray,geq=lum='{_BARS}'",
        *("-f", "lavfi", "-i", "sine=sample_rate=48000", "-c:v", "libx264", "-preset", "ultrafast"),
        *("-tune", "zerolatency", "-g", str(FRAMES), "-pix_fmt", "yuv420p", "-b:v", "2M", "-c:a", "aac"),
        *("-f", "flv", f"rtmp://127.0.0.1:{port}/live/{KEY}"),
    ]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as encoder:
        try:
            yield
        finally:
            encoder.terminate()


def _wait_until_live(daemon: Daemon) -> None:
    until = time.monotonic() + LIVE_WITHIN
    while time.monotonic() < until:
        with urllib.request.urlopen(f"{daemon.url}/api/status", timeout=10) as answer:
            if json.load(answer)["online"]:
                return
        time.sleep(0.2)
    raise TimeoutError("no broadcast went live")


def _set(daemon: Daemon, setting: str, value: Any) -> None:
    credential = base64.b64encode(f"admin:{KEY}".encode()).decode()
    request = urllib.request.Request(
        f"{daemon.url}/api/admin/config/{setting}",
        json.dumps({"value": value}).encode(),
        {"Authorization": f"Basic {credential}", "Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=10).close()


if __name__ == "__main__":
    sys.exit(main())
