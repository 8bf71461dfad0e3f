"""The units of packaging/ in a booted systemd: what an administrator gets."""

from __future__ import annotations

import re
import socket
import threading
import time

import httpx
import pytest

from tests.box.service import SOCKET, TOPIC, UNIT, Service

pytestmark = pytest.mark.box


def test_a_start_returns_when_requests_are_answered(manor: Service) -> None:
    manor.start()

    assert httpx.get(f"{manor.url}/readyz", trust_env=False).status_code == 200
    manor.publish("hello from outside")
    assert manor.history()[-1:] == ["hello from outside"]


def test_the_daemon_is_confined(manor: Service) -> None:
    manor.start()
    status = (manor.box.root / f"proc/{manor.main_pid()}/status").read_text()
    score = manor.box.run("systemd-analyze", "security", "--no-pager", UNIT)

    account = manor.box.run("id", "--user", "manor")
    assert re.search(rf"^Uid:\t{account}\t{account}\t", status, re.MULTILINE)
    assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\t1$", status, re.MULTILINE)
    assert re.search(r"^Seccomp:\t2$", status, re.MULTILINE)
    found = re.search(r"exposure level for manor.service: ([\d.]+)", score)
    assert found is not None
    assert float(found[1]) <= 1.5
    assert manor.box.run("stat", "--format=%U %a", "/var/lib/manor") == "manor 700"


def test_a_stop_ends_streams_and_leaves_no_fault(manor: Service) -> None:
    manor.start()
    with httpx.stream("GET", f"{manor.url}/{TOPIC}/sse", timeout=30, trust_env=False) as stream:
        lines = stream.iter_lines()
        assert next(lines) in ("event: ready", "retry: 3000")
        began = time.monotonic()
        manor.box.run("systemctl", "stop", UNIT)
        took = time.monotonic() - began
        for _ in lines:  # ends by itself; a cut stream would raise
            pass

    assert took < 10
    assert manor.box.show(UNIT, "Result") == "success"
    assert manor.box.show(UNIT, "ExecMainStatus") == "0"


def test_a_restart_keeps_the_messages(manor: Service) -> None:
    manor.start()
    manor.publish("before")
    manor.box.run("systemctl", "restart", UNIT)
    manor.publish("after")

    assert manor.history()[-2:] == ["before", "after"]


def test_a_loop_that_stands_still_is_killed_and_started_again(manor: Service) -> None:
    manor.override("[Service]\nWatchdogSec=2\nTimeoutAbortSec=1\n")
    manor.start()
    manor.publish("before")
    pid = manor.main_pid()
    manor.signal("SIGSTOP")
    took = manor.wait_for_another(pid, within=15)

    assert took > 1, "it waited for the watchdog"
    assert "Watchdog timeout" in manor.box.journal(UNIT)
    assert "before" in manor.history()


def test_a_loop_that_turns_is_left_alone_by_the_watchdog(manor: Service) -> None:
    manor.override("[Service]\nWatchdogSec=1\n")
    manor.start()
    pid = manor.main_pid()
    time.sleep(2.5)

    assert manor.main_pid() == pid


def test_a_killed_daemon_is_started_again(manor: Service) -> None:
    manor.start()
    manor.publish("before")
    pid = manor.main_pid()
    manor.signal("SIGKILL")
    manor.wait_for_another(pid, within=15)

    assert "before" in manor.history()


def test_a_fault_in_the_configuration_is_said_once(manor: Service) -> None:
    manor.box.put("/etc/manor/conf.d/50-fault.toml", '[server]\nlog_levle = "info"\n')
    failed = manor.box.attempt("systemctl", "start", UNIT)

    assert failed.returncode != 0
    assert manor.state() == "failed"
    assert manor.box.show(UNIT, "ExecMainStatus") == "78"
    assert manor.box.show(UNIT, "NRestarts") == "0"
    assert "/etc/manor/conf.d/50-fault.toml: server.log_levle" in manor.box.journal(UNIT)


def test_a_reload_reads_the_configuration_again(manor: Service) -> None:
    manor.start()
    pid = manor.main_pid()
    manor.box.put("/etc/manor/conf.d/50-level.toml", '[server]\nlog_level = "debug"\n')
    manor.box.run("systemctl", "reload", UNIT)
    manor.publish("still there")

    assert manor.main_pid() == pid
    assert manor.state() == "active"


@pytest.mark.parametrize("is_running", [True, False])
def test_root_makes_a_topic_with_the_service_running_or_not(manor: Service, is_running: bool) -> None:
    manor.start()
    if not is_running:
        manor.box.run("systemctl", "stop", UNIT)
    manor.box.run("/opt/manor/bin/manor", "topics", "create", "alerts", "--config", "/etc/manor/config.toml")
    manor.start()

    assert httpx.post(f"{manor.url}/alerts", content=b"made", trust_env=False).status_code == 200
    # Whatever root's command wrote belongs to the daemon.
    assert manor.box.run("find", "/var/lib/manor", "!", "-user", "manor") == ""


def test_the_first_connection_starts_the_service(manor: Service) -> None:
    manor.start(SOCKET)
    assert manor.state() == "inactive"

    manor.publish("knock knock")

    assert manor.state() == "active"
    assert manor.history()[-1:] == ["knock knock"]


def test_requests_wait_while_the_service_restarts_behind_its_socket(manor: Service) -> None:
    manor.start(SOCKET)
    manor.publish("0")
    done = threading.Event()
    published: list[str] = []
    faults: list[str] = []

    def publish_on_new_connections() -> None:
        while not done.is_set():
            text = str(len(published) + 1)
            try:
                manor.publish(text)
            except (httpx.TransportError, AssertionError) as fault:
                faults.append(f"{text}: {fault!r}")
                return
            published.append(text)

    publisher = threading.Thread(target=publish_on_new_connections)
    publisher.start()
    for _ in range(3):
        before = len(published)
        manor.box.run("systemctl", "restart", UNIT)
        while len(published) < before + 2 and publisher.is_alive():
            time.sleep(0.02)
    done.set()
    publisher.join(30)

    assert faults == []
    assert manor.history()[-20:] == (["0", *published])[-20:]


def test_the_socket_outlives_a_stopped_service(manor: Service) -> None:
    manor.start(SOCKET)
    manor.publish("before")
    manor.box.run("systemctl", "stop", UNIT)
    with socket.create_connection(("127.0.0.1", manor.port), timeout=30):
        manor.publish("after")

    assert manor.history()[-2:] == ["before", "after"]
