"""The `manor` command beside a daemon that runs, one that does not, and one that comes back."""

from __future__ import annotations

import json
import signal
import subprocess
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.e2e.clients import ask
from tests.e2e.conftest import Make
from tests.e2e.daemon import Daemon, spawn

Done = subprocess.CompletedProcess[str]


def together(*calls: Callable[[], Done]) -> list[Done]:
    """Run several commands at once; their results in order."""
    with ThreadPoolExecutor(len(calls)) as threads:
        return [call.result() for call in [threads.submit(call) for call in calls]]


@pytest.mark.parametrize("is_running", [False, True], ids=["stopped", "running"])
async def test_a_topic_made_in_a_shell_is_served_whether_the_daemon_ran_or_not(make: Make, is_running: bool) -> None:
    daemon = make()
    if is_running:
        daemon.start()
        assert (await ask(daemon.port, "POST", "/cellar", "Hello")).status == 404

    created = daemon.manor("topics", "create", "attic", "cellar")
    again = daemon.manor("topics", "create", "garden", "attic")

    assert (created.returncode, created.stderr) == (0, "")
    assert (again.returncode, again.stdout, again.stderr) == (1, "", "There is a topic 'attic' already\n")
    if not is_running:
        daemon.start()
    topics = await ask(daemon.port, "GET", "/api/topics")
    assert {topic["name"] for topic in topics.json} == {"welcome", "attic", "cellar"}, "all or none were made"
    assert (await ask(daemon.port, "POST", "/cellar", "Hello")).status == 200


def test_every_problem_of_a_configuration_is_listed_with_its_file_and_key(make: Make) -> None:
    daemon = make({"server": {"bind": 8080, "log_level": "loud"}})
    drop_ins = daemon.folder / "conf.d"
    drop_ins.mkdir()
    (drop_ins / "10-limits.toml").write_text("[server.limits]\nconnections = 0\n")
    (drop_ins / "20-broken.toml").write_text("[server\n")
    plugins = make({"plugins": {"topics": {"ping_secs": 3, "listing": 1}, "tropics": {}}}, folder="plugins")

    checked, served, plugins_checked = together(
        partial(daemon.manor, "config", "check"),
        partial(daemon.manor, "serve"),
        partial(plugins.manor, "config", "check"),
    )

    assert_told(
        checked,
        [
            f"{daemon.config}: server.bind: ",
            f"{daemon.config}: server.log_level: ",
            f"{drop_ins}/10-limits.toml: server.limits.connections: ",
            f"{drop_ins}/20-broken.toml: line 1, column 8: ",
        ],
    )
    assert (served.returncode, served.stderr) == (78, checked.stderr)
    assert not daemon.data.exists(), "nothing was begun"
    assert_told(
        plugins_checked,
        [
            f"{plugins.config}: plugins.topics.listing: ",
            f"{plugins.config}: plugins.topics.ping_secs: ",
            f"{plugins.config}: plugins.tropics: ",
        ],
    )


def assert_told(done: Done, beginnings: list[str]) -> None:
    """See that each of these begins one line, and that there are no others."""
    lines = sorted(done.stderr.splitlines())
    assert (done.returncode, done.stdout) == (78, "")
    assert [line[: len(begun)] for line, begun in zip(lines, sorted(beginnings), strict=True)] == sorted(beginnings)


async def test_a_plugin_is_disabled_in_the_managed_file_and_gone_after_the_next_start(make: Make) -> None:
    daemon = make()
    before = daemon.config.read_text()

    disabled = daemon.manor("plugins", "disable", "topics")

    managed = daemon.folder / "conf.d/90-managed.toml"
    assert disabled.returncode == 0
    assert str(managed) in disabled.stdout
    assert tomllib.loads(managed.read_text())["plugins"] == {"topics": {"enabled": False}}
    assert daemon.config.read_text() == before
    running = daemon.start()
    assert (await ask(daemon.port, "GET", "/welcome/json")).status == 404
    assert daemon.stop() == 0
    assert "Try:" not in running.said.text


async def test_a_second_daemon_on_the_same_data_or_port_ends_with_a_sentence(shared: Daemon, make: Make) -> None:
    same_data, same_port = make(folder="data"), make(folder="port")
    same_data.configure({"server": {"data_dir": str(shared.data)}})
    same_port.configure({"server": {"bind": [f"127.0.0.1:{shared.port}"]}})

    on_data, on_port = together(partial(same_data.manor, "serve"), partial(same_port.manor, "serve"))

    assert shared.running is not None
    pid = shared.running.pid
    assert (on_data.returncode, on_data.stdout) == (1, "")
    assert on_data.stderr == f"{shared.data} is in use by another Manor process (pid {pid})\n"
    assert (on_port.returncode, on_port.stdout) == (1, "")
    assert on_port.stderr == f"cannot listen on 127.0.0.1:{shared.port}: Address already in use\n"
    assert (await ask(shared.port, "GET", "/readyz")).status == 200, "the first goes on"


async def test_a_subscriber_hears_everything_once_over_a_restart(make: Make) -> None:
    daemon = make()
    daemon.start()
    command = ("subscribe", "welcome", "--since", "all", "--json", "--config", str(daemon.config))
    subscriber = spawn(*command, folder=daemon.folder, environment={})
    try:
        said = [await publish(daemon, "one")]
        subscriber.said.wait_for(said[-1])
        assert daemon.stop() == 0
        daemon.start()
        said += [await publish(daemon, "two"), await publish(daemon, "three")]
        subscriber.said.wait_for(said[-1])
    finally:
        subscriber.signal(signal.SIGINT)
        code = subscriber.ended()

    assert [json.loads(line)["id"] for line in subscriber.said.lines] == said
    assert (code, subscriber.log.text) == (130, "")


async def publish(daemon: Daemon, text: str) -> str:
    """Publish a message; returns its id."""
    answer = await ask(daemon.port, "POST", "/welcome", text)
    assert answer.status == 200, answer
    id_: str = answer.json["id"]
    return id_
