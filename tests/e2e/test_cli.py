"""The `manor` command against a real daemon, and without one: the same commands, the same answers."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from manor.cli import main
from manor.cli.address import Address

MANOR = [sys.executable, "-m", "manor"]


@dataclass
class Server:
    """A configuration, and perhaps a daemon that serves it."""

    config: Path
    is_running: bool = False

    @property
    def data(self) -> Path:
        return self.config.parent / "data"

    def run(self, *arguments: str, stdin: str | bytes = "") -> Result:
        return CliRunner().invoke(main, [*arguments, "--config", str(self.config)], input=stdin)

    def json(self, *arguments: str, stdin: str = "") -> Any:
        result = self.run(*arguments, "--json", stdin=stdin)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([*MANOR, "serve", "--config", str(self.config)], cwd=self.config.parent)
        address = Address("localhost", 0, unix=str(self.config.parent / "http.sock"))
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and process.poll() is None:
            connection = address.connect(timeout=5)
            try:
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    self.is_running = True
                    return process
            except OSError:
                time.sleep(0.05)
            finally:
                connection.close()
        raise AssertionError(f"the daemon did not become ready: {process.poll()}")


def configured(folder: Path) -> Server:
    (folder / "config.toml").write_text(
        f'[server]\nbind = ["unix:{folder}/http.sock"]\ndata_dir = "{folder}/data"\npin_cpu = false\n'
    )
    return Server(folder / "config.toml")


def ended(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGTERM) -> int:
    process.send_signal(number)
    return process.wait(timeout=20)


@pytest.fixture(scope="module")
def daemon() -> Iterator[Server]:
    # Not below pytest's own folder, which every run of pytest on this machine closes to strangers when it starts.
    with tempfile.TemporaryDirectory() as folder:
        server = configured(Path(folder))
        process = server.start()
        yield server
        assert ended(process) == 0


@pytest.fixture(params=["with a daemon", "without a daemon"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    if request.param == "with a daemon":
        yield request.getfixturevalue("daemon")
        return
    with tempfile.TemporaryDirectory() as folder:
        yield configured(Path(folder))


# --- Both ways -----------------------------------------------------------------------------------------------------


def test_a_topic_is_created_once(server: Server) -> None:
    created = server.json("topics", "create", "alarms", "backups", "--description", "What broke")
    again = server.run("topics", "create", "alarms")

    assert [topic["name"] for topic in created] == ["alarms", "backups"]
    assert (again.exit_code, "alarms" in again.stderr, again.stdout) == (1, True, "")


def test_a_person_is_added_with_a_password_from_a_pipe(server: Server) -> None:
    added = server.json(
        "user", "add", "ada@example.org", "--username", "ada", "--admin", "--password-stdin", stdin="four horses walk\n"
    )
    again = server.run("user", "add", "ada@example.org", "--username", "ada2")

    assert (added["username"], added["is_admin"]) == ("ada", True)
    assert again.exit_code == 1


def test_a_password_that_is_too_weak_is_refused_in_words(server: Server) -> None:
    result = server.run("user", "add", "bob@example.org", "--username", "bob", "--password-stdin", stdin="short\n")

    assert (result.exit_code, "8" in result.stderr) == (1, True)


def test_an_empty_password_is_a_misuse(server: Server) -> None:
    result = server.run("user", "add", "eve@example.org", "--username", "eve", "--password-stdin")

    assert result.exit_code == 2


def test_a_quiet_outbox_is_empty_and_the_audit_log_unbroken(server: Server) -> None:
    assert server.json("outbox", "list") == []
    assert server.run("outbox", "retry", "--all").exit_code == 0
    assert server.json("audit", "verify")["faults"] == []


def test_who_did_what_is_listed(server: Server) -> None:
    added = server.json("user", "add", "ida@example.org", "--username", "ida")

    [row] = server.json("audit", "list", "--action", "identity.user_added", "--last", "1")
    text = server.run("audit", "list", "--who", added["id"]).stdout

    assert (row["actor"], row["target"]) == ("shell", added["id"])
    assert text.splitlines()[0].split() == ["AT", "ACTION", "WHO", "TO", "WHOM", "DETAIL"]
    assert "identity.user_added" in text
    assert server.run("audit", "list", "--last", "0").exit_code == 2


def test_retrying_needs_to_know_what(server: Server) -> None:
    assert server.run("outbox", "retry").exit_code == 2


def test_plugins_are_listed_with_their_state(server: Server) -> None:
    assert {row["name"]: row["state"] for row in server.json("plugins", "list")}["topics"] == "enabled"


def test_an_enabled_plugin_is_not_purged(server: Server) -> None:
    result = server.run("plugins", "purge", "topics", "--yes")

    assert (result.exit_code, "disable it" in result.stderr) == (1, True)


def test_purging_asks_first(server: Server) -> None:
    result = server.run("plugins", "purge", "topics", stdin="n\n")

    assert (result.exit_code, "Drop all data of 'topics'" in result.stdout) == (1, True)


def test_commands_leave_the_house_as_they_found_it(server: Server) -> None:
    server.run("outbox", "list")

    assert (server.data / "control.sock").exists() == server.is_running
    server.run("outbox", "list")


# --- Without a daemon ----------------------------------------------------------------------------------------------


def test_what_only_describes_touches_no_disk(tmp_path: Path) -> None:
    server = configured(tmp_path)

    assert {"method": "POST", "path": "/{topic}", "access": "public", "owner": "topics"} in server.json("routes")
    described = json.loads(server.run("openapi").stdout)
    assert described["openapi"].startswith("3.1")
    assert "/{topic}" in described["paths"]
    assert "/readyz" in json.loads(server.run("openapi", "--enabled").stdout)["paths"]
    assert server.run("config", "check").exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


def test_a_disabled_plugin_is_described_and_not_enabled(tmp_path: Path) -> None:
    server = configured(tmp_path)
    assert server.run("plugins", "disable", "topics").exit_code == 0

    assert "/{topic}" in json.loads(server.run("openapi").stdout)["paths"]
    assert "/{topic}" not in json.loads(server.run("openapi", "--enabled").stdout)["paths"]
    assert {row["name"]: row["state"] for row in server.json("plugins", "list")}["topics"] == "disabled"
    missing = server.run("topics", "create", "alarms")
    assert (missing.exit_code, "is its plugin enabled?" in missing.stderr) == (1, True)


def test_a_plugin_that_was_disabled_is_purged_and_begins_anew(tmp_path: Path) -> None:
    server = configured(tmp_path)
    server.json("topics", "create", "alarms")
    server.run("plugins", "disable", "topics")

    purged = server.run("plugins", "purge", "topics", "--yes")
    server.run("plugins", "enable", "topics")

    assert (purged.exit_code, "topics_topics" in purged.stdout) == (0, True)
    assert [topic["name"] for topic in server.json("topics", "create", "alarms")] == ["alarms"]


def test_an_unknown_plugin_is_not_enabled(tmp_path: Path) -> None:
    server = configured(tmp_path)

    result = server.run("plugins", "enable", "gong")

    assert (result.exit_code, "no plugin 'gong' is installed" in result.stderr) == (1, True)
    assert not (tmp_path / "conf.d").exists()


def test_a_plugin_that_a_variable_holds_down_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANOR_PLUGINS__TOPICS__ENABLED", "false")

    result = configured(tmp_path).run("plugins", "enable", "topics")

    assert (result.exit_code, "MANOR_PLUGINS__TOPICS__ENABLED wins over it" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("serve",),
        ("config", "check"),
        ("config", "show"),
        ("plugins", "list"),
        ("routes",),
        ("openapi",),
        ("topics", "create", "alarms"),
        ("publish", "alarms", "hello"),
        ("subscribe", "alarms"),
        ("outbox", "list"),
    ],
    ids=" ".join,
)
def test_every_mistake_in_the_configuration_is_listed(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[server]\nbind = 8080\nlog_levle = "info"\n')

    result = CliRunner().invoke(main, [*arguments, "--config", str(config)])

    assert (result.exit_code, result.stdout) == (78, "")
    lines = result.stderr.splitlines()
    assert [line.startswith(f"{config}: server.") for line in lines] == [True, True]


def test_each_setting_is_shown_with_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANOR_SERVER__LOG_LEVEL", "error")
    monkeypatch.setenv("MANOR_SERVER__SMTP__PASSWORD", "swordfish")
    server = configured(tmp_path)

    shown = {row["key"]: (row["value"], row["source"]) for row in server.json("config", "show")}

    assert shown["server.data_dir"] == (f"{tmp_path}/data", str(server.config))
    assert shown["server.log_level"] == ("error", "environment MANOR_SERVER__LOG_LEVEL")
    assert shown["server.default_tier"] == ("FREE", "default")
    assert "swordfish" not in server.run("config", "show").output + json.dumps(shown)


# --- With a daemon -------------------------------------------------------------------------------------------------


def test_what_is_published_is_heard(daemon: Server) -> None:
    daemon.json("topics", "create", "news")
    first = daemon.run("publish", "news", "one", "--title", "Number", "--priority", "2", "--tags", "a, b,")
    second = daemon.run("publish", "news", "-", stdin="two\n")
    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output

    command = [*MANOR, "subscribe", "news", "--since", "all", "--json", "--config", str(daemon.config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as subscriber:
        assert subscriber.stdout is not None
        replayed = [json.loads(subscriber.stdout.readline()) for _ in range(2)]
        third = daemon.json("publish", "news", "three")
        live = json.loads(subscriber.stdout.readline())
        subscriber.send_signal(signal.SIGINT)
        assert subscriber.wait(timeout=20) == 130

    assert [frame["id"] for frame in (*replayed, live)] == [first.stdout.strip(), second.stdout.strip(), third["id"]]
    assert [frame["message"] for frame in (*replayed, live)] == ["one", "two", "three"]
    assert (replayed[0]["title"], replayed[0]["priority"], replayed[0]["tags"]) == ("Number", 2, ["a", "b"])


@pytest.mark.parametrize(
    "command", [("publish", "nowhere", "hello"), ("subscribe", "nowhere")], ids=lambda each: each[0]
)
def test_a_topic_that_is_not_there_is_told(daemon: Server, command: tuple[str, ...]) -> None:
    result = daemon.run(*command)

    assert (result.exit_code, "nowhere" in result.stderr) == (1, True)


def test_a_subscriber_outlives_its_daemon(tmp_path: Path) -> None:
    server = configured(tmp_path)
    process = server.start()
    server.run("publish", "welcome", "before")
    command = [*MANOR, "subscribe", "welcome", "--since", "all", "--json", "--config", str(server.config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as subscriber:
        assert subscriber.stdout is not None
        heard = [json.loads(subscriber.stdout.readline())["message"]]
        assert ended(process, signal.SIGKILL) == -signal.SIGKILL
        process = server.start()
        server.run("publish", "welcome", "after")
        heard.append(json.loads(subscriber.stdout.readline())["message"])
        subscriber.kill()

    assert heard == ["before", "after"]
    assert ended(process) == 0


def test_a_second_daemon_on_the_same_data_does_not_start(daemon: Server, tmp_path: Path) -> None:
    other = tmp_path / "config.toml"
    other.write_text(f'[server]\nbind = ["unix:{tmp_path}/http.sock"]\ndata_dir = "{daemon.data}"\n')

    done = subprocess.run([*MANOR, "serve", "--config", str(other)], capture_output=True, text=True, timeout=30)

    assert (done.returncode, "is in use by another Manor process" in done.stderr) == (1, True)


def test_a_stranger_on_this_machine_may_not(server: Server) -> None:
    server.run("user", "list")
    closed = server.data / ("control.sock" if server.is_running else "manor.lock")
    closed.chmod(0o600)
    for folder in (server.data, server.data.parent):
        folder.chmod(folder.stat().st_mode | 0o055)
    # Root becomes a stranger, once all is imported: a stranger may not even read this Python's files.
    code = (
        "import os, sys, manor.control.answering, manor.house, manor.cli, manor_topics.cli, manor_topics.commands\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "manor.cli.main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", code, "topics", "create", "mine", "--config", str(server.config)]

    done = subprocess.run(command, capture_output=True, text=True, timeout=30)

    assert (done.returncode, done.stderr) == (77, f"{closed}: Permission denied\n")


def test_nobody_there_is_unavailable(tmp_path: Path) -> None:
    server = configured(tmp_path)

    assert [server.run(*command).exit_code for command in (("publish", "news", "x"), ("subscribe", "news"))] == [69, 69]
