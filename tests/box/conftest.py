"""The box: booted once for all tests that need it, with a fresh Manor for each of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from manor_hostservices.verbs import AddUser, DeleteUser, ReadUsers, SetSsh
from tests.box.host import DROP_IN, HASH, HostInBox, Server, host_in, put_toys
from tests.box.machine import Box, booted
from tests.box.service import UNIT, Service, free_port
from tests.box.tree import PROJECT, build_wheel, tree


@pytest.fixture(scope="session")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A booted Debian."""
    with tree() as root, booted(root, tmp_path_factory.mktemp("box") / "console") as machine:
        yield machine


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Manor's wheel, as a release would have it."""
    return build_wheel(PROJECT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def installed(box: Box, wheel: Path) -> Service:
    """Manor's wheel and units, installed in the box."""
    service = Service(box)
    service.install(wheel)
    return service


@pytest.fixture
def manor(installed: Service) -> Iterator[Service]:
    """The installed service, stopped and without data."""
    installed.reset()
    yield installed
    print(installed.box.journal(UNIT))  # noqa: T201 - shown by pytest when the test failed


@pytest.fixture(scope="session")
def host_process(installed: Service) -> Iterator[HostInBox]:
    """The host's back end as root, with units that stand for services."""
    put_toys(installed.box)
    with host_in(installed.box) as host:
        yield host


@pytest.fixture
def host(host_process: HostInBox) -> HostInBox:
    """The host's back end as root, with nothing set from here."""
    host_process.forget()
    return host_process


@pytest.fixture(scope="session")
def ssh_server(host_process: HostInBox) -> Server:
    """The SSH server, off, as Debian configures it; and the primary account."""
    server = Server(host_process.box, free_port())
    server.prepare()
    host_process.box.run("useradd", "--create-home", "chief")
    return server


@pytest.fixture(scope="module")
def started(host_process: HostInBox, ssh_server: Server) -> Iterator[Server]:
    """The SSH server, on."""
    host_process.ask(SetSsh(enable=True))
    yield ssh_server
    host_process.ask(SetSsh(enable=False))


@pytest.fixture
def server(started: Server) -> Iterator[Server]:
    """The SSH server without keys of administrators."""
    yield started
    root = started.box.root
    for path in ("root/.ssh/authorized_keys", "home/chief/.ssh/authorized_keys"):
        (root / path).unlink(missing_ok=True)
    if (root / DROP_IN.lstrip("/")).exists():
        (root / DROP_IN.lstrip("/")).unlink()
        # A reload says it is done before the server reads: it would read what the next test breaks.
        started.box.run("systemctl", "restart", "ssh.service")


@pytest.fixture
def eve(host: HostInBox) -> Iterator[HostInBox]:
    """The host with an account that was made from here."""
    host.ask(AddUser("eve", HASH))
    yield host
    if "eve" in host.ask(ReadUsers()):
        host.ask(DeleteUser("eve"))
