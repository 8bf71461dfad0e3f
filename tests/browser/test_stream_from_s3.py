"""Viewers in a real browser fetch the video from a bucket, and from the server again when the bucket is gone."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.browser import OFTEN, Browser
from tests.e2e.daemon import Daemon, free_port
from tests.stream_pages import have, publishing, stream_tables

PATIENCE = 60.0
"""Seconds that anything may take on a busy machine."""

SOON = 40.0
"""A page that is not told to leave the bucket needs over a minute for it."""

POSITION = "return document.getElementById('video').currentTime"
FETCHED = "return performance.getEntriesByType('resource').map((each) => each.name).filter((name) => /ts$/.test(name))"
FORGET = "performance.clearResourceTimings()"


@dataclass
class Bucket:
    """A bucket that everybody reads, pages of all origins too, in a process of its own.

    Args:
        origin: Of the server that it is on.
        process: That server.
    """

    origin: str
    process: subprocess.Popen[str]

    @property
    def settings(self) -> dict[str, object]:
        """What an administrator says of it."""
        keys = {"accessKey": "an-access-key", "secret": "the-secret-of-it", "acl": "public-read"}
        place = {"endpoint": self.origin, "region": "us-east-1", "bucket": "segments", "forcePathStyle": True}
        return {"enabled": True, **place, **keys}

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """It takes connections, and never answers."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    """One on a server that believes everybody: the other tests' wants a signature to read, too."""
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            while "Running on" not in (said := process.stderr.readline()):
                assert said, "the S3 server did not start"
            # It tells of every request; a full pipe would stop it.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            made = urllib.request.Request(f"http://127.0.0.1:{port}/segments", method="PUT")
            urllib.request.urlopen(made, timeout=PATIENCE).close()
            yield Bucket(f"http://127.0.0.1:{port}", process)
        finally:
            process.kill()


def wait_for_video_from(browser: Browser, origin: str, *, seconds: float = PATIENCE) -> None:
    """Wait until segments of this origin are what plays on."""
    driver = browser.driver
    driver.execute_script(FORGET)
    waiting = WebDriverWait(driver, seconds, OFTEN)
    waiting.until(lambda _: any(url.startswith(origin) for url in driver.execute_script(FETCHED)))
    at = driver.execute_script(POSITION)
    waiting.until(lambda _: driver.execute_script(POSITION) > at + 2)


def test_a_bucket_that_hangs_is_left_within_seconds_and_found_again(
    browser: Browser, bucket: Bucket, tmp_path: Path
) -> None:
    rtmp_port = free_port()
    allowed = {"server": {"outgoing": {"allow": [bucket.origin.removeprefix("http://")]}}}
    daemon = Daemon(tmp_path, stream_tables(tmp_path, rtmp_port) | allowed)
    daemon.start()
    try:
        have(daemon.url, "config/video/streamlatencylevel", 0)
        have(daemon.url, "config/s3", bucket.settings)
        with publishing(rtmp_port):
            browser.open(daemon.url)
            wait_for_video_from(browser, bucket.origin)
            browser.check()
            with bucket.hanging():
                wait_for_video_from(browser, daemon.url, seconds=SOON)
            wait_for_video_from(browser, bucket.origin)
            # The console tells of what hung, as it should.
            browser.complaints()
        # Its pages may read from there, as was seen; the server did not say otherwise.
        assert "Browsers" not in daemon.log.text
    finally:
        daemon.kill()
