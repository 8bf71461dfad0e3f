"""The box: booted once for all tests that need it, with a fresh Manor for each of them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.box.machine import Box, booted
from tests.box.service import UNIT, Service
from tests.box.tree import PROJECT, build_wheel, tree

_NEEDS_ROOT = pytest.StashKey[int]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # Deselected, not skipped: without root no step of script/test could make these run.
    if os.geteuid() == 0:
        return
    boxed = [item for item in items if item.get_closest_marker("box")]
    if boxed:
        config.hook.pytest_deselected(items=boxed)
        config.stash[_NEEDS_ROOT] = len(boxed)
        items[:] = [item for item in items if item not in boxed]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    left_out = config.stash.get(_NEEDS_ROOT, 0)
    if left_out:
        terminalreporter.write_line(
            f"{left_out} tests of the systemd units were left out: a box needs root", yellow=True
        )


@pytest.fixture(scope="session")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A booted Debian."""
    with tree() as root, booted(root, tmp_path_factory.mktemp("box") / "console") as machine:
        yield machine


@pytest.fixture(scope="session")
def installed(box: Box, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """Manor's wheel and units, installed in the box."""
    service = Service(box)
    service.install(build_wheel(PROJECT, tmp_path_factory.mktemp("wheel")))
    return service


@pytest.fixture
def manor(installed: Service) -> Iterator[Service]:
    """The installed service, stopped and without data."""
    installed.reset()
    yield installed
    print(installed.box.journal(UNIT))  # noqa: T201 - shown by pytest when the test failed
