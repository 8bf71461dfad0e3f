from __future__ import annotations

import errno
import io
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from manor.logs import configure, leads_to_journal


@pytest.fixture(autouse=True)
def settings_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    before = structlog.get_config()
    yield
    structlog.configure(**before)
    root.handlers[:], root.level = handlers, level


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def logged(*, level: str = "info", message: str = "something happened", **values: Any) -> dict[str, Any]:
    """What JSON comes of one warning."""
    out = io.StringIO()
    configure(level, stream=out)
    structlog.get_logger().warning(message, **values)
    line: dict[str, Any] = json.loads(out.getvalue())
    return line


def test_a_collector_gets_one_json_object_a_line() -> None:
    line = logged(plugin="doorbell", seconds=3)
    line.pop("timestamp")
    assert line == {"event": "something happened", "level": "warning", "plugin": "doorbell", "seconds": 3}


class Gone(io.StringIO):
    """A pipe whose reader has ended."""

    def write(self, line: str, /) -> int:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    def flush(self) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


def test_lines_that_nobody_reads_are_lost_and_whoever_logs_goes_on() -> None:
    configure("info", stream=Gone())

    structlog.get_logger().warning("to nobody")


def test_the_journal_gets_a_priority_and_one_plain_line() -> None:
    out = io.StringIO()
    configure("info", stream=out, is_journal=True)
    log = structlog.get_logger()
    log.info("ready", url="http://127.0.0.1:8080/")
    try:
        raise OSError("down")
    except OSError as error:
        log.error("a task crashed", plugin="doorbell", exc_info=error)

    first, second = out.getvalue().splitlines()
    assert first == "<6>ready url=http://127.0.0.1:8080/"
    assert second.startswith('<3>a task crashed plugin=doorbell exception="Traceback')
    assert second.endswith('OSError: down"')


def test_a_terminal_gets_words_and_no_json() -> None:
    out = Terminal()
    configure("info", stream=out)
    structlog.get_logger().warning("a task crashed", plugin="doorbell")

    assert "a task crashed" in out.getvalue()
    assert "{" not in out.getvalue()


def test_a_terminal_gets_json_on_wish() -> None:
    out = Terminal()
    configure("info", stream=out, as_json=True)
    structlog.get_logger().warning("a task crashed")
    assert json.loads(out.getvalue())["event"] == "a task crashed"


def test_what_is_below_the_level_is_left_out_also_for_loggers_made_before() -> None:
    out = io.StringIO()
    log = structlog.get_logger()
    configure("info", stream=out)
    log.info("told")
    configure("error", stream=out)
    log.info("not told")

    assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == ["told"]


def test_warnings_of_dependencies_come_the_same_way() -> None:
    out = io.StringIO()
    configure("info", stream=out)
    logging.getLogger("hypercorn.error").warning("refused %s", "Bearer abcdef123456")
    logging.getLogger("hypercorn.error").info("not told")

    [line] = map(json.loads, out.getvalue().splitlines())
    assert (line["event"], line["level"]) == ("refused Bearer [blanked]", "warning")


@pytest.mark.parametrize(
    "name",
    ["password", "new_password", "token", "refresh_tokens", "client_secret", "Authorization", "set-cookie", "api_key"],
)
def test_a_value_that_is_called_a_secret_is_blanked(name: str) -> None:
    assert logged(**{name: "hunter2"})[name] == "[blanked]"
    assert logged(headers={name: "hunter2", "host": "x"})["headers"] == {name: "[blanked]", "host": "x"}
    assert logged(headers=[{name: "hunter2"}])["headers"] == [{name: "[blanked]"}]


@pytest.mark.parametrize("name", ["credential_id", "token_count", "secretary", "key", "tokens_left"])
def test_a_value_that_only_sounds_like_one_stays(name: str) -> None:
    assert logged(**{name: "front"})[name] == "front"


@pytest.mark.parametrize(
    ("text", "blanked"),
    [
        ("GET /alerts/sse?since=all&token=s3cret&x=1", "GET /alerts/sse?since=all&token=[blanked]&x=1"),
        ("Authorization: Bearer mk_0123456789", "Authorization: Bearer [blanked]"),
        ("smtp://ann:hunter2@mail.example.org/", "smtp://ann:[blanked]@mail.example.org/"),
        ("bad eyJhbGciOi.eyJzdWIi.c2ln here", "bad [blanked] here"),
        ("the basic instructions for a bearer certificate", "the basic instructions for a bearer certificate"),
        ("http://127.0.0.1:8080/ and ann@example.org", "http://127.0.0.1:8080/ and ann@example.org"),
    ],
)
def test_a_secret_within_a_text_is_blanked(text: str, blanked: str) -> None:
    assert logged(message=text)["event"] == blanked
    assert logged(url=text)["url"] == blanked


def test_a_secret_in_a_traceback_is_blanked() -> None:
    try:
        raise ValueError("cannot reach https://ann:hunter2@example.org/")
    except ValueError as error:
        line = logged(exc_info=error)

    assert "hunter2" not in json.dumps(line)
    assert "https://ann:[blanked]@example.org/" in line["exception"]


def test_the_journal_is_known_by_its_device_and_inode(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as stream:
        status = os.fstat(stream.fileno())
        assert leads_to_journal(stream, {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
        assert not leads_to_journal(stream, {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino + 1}"})
        assert not leads_to_journal(stream, {})
    assert not leads_to_journal(io.StringIO(), {"JOURNAL_STREAM": "1:2"})
