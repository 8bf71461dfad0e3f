"""What every test run keeps to, on one processor or on several.

Under CI a skipped test is a failure, because it hides a missing install step.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Generator, Sequence
from typing import Any

import pytest

from tests.s3_server import s3_server as s3_server

_NEEDS_ROOT = pytest.StashKey[int]()

ONE_BY_ONE = (
    "tests/box/",
    "tests/browser/",
    "tests/torture/",
    "tests/e2e/test_cli.py",
    "tests/e2e/test_doorbell.py",
    "tests/e2e/test_notifer_client.py",
)
"""Where tests share something large, or load the disk: the tests of each are left to one worker."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand out tests one by one, and what must not run side by side together, the largest part first."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        # By path, not by xdist's own groups: those are written into a test's id, which pytest 9 does not let change.
        def _split_scope(self, nodeid: str) -> str:
            return next((place for place in ONE_BY_ONE if nodeid.startswith(place)), nodeid)

        # What is done is forgotten: xdist counts what a worker has left through all that it was ever given, several
        # times a test.
        def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
            nodeid = self.registered_collections[node][item_index]
            scope = self._split_scope(nodeid)
            given = self.assigned_work[node]
            given[scope][nodeid] = True
            if all(given[scope].values()):
                del given[scope]
            self._reschedule(node)

    return Scheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without looking for garbage: thousands of tests stay to the end, and need not be looked at again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
        # The rest is a house for each test, which the counts of references see to but for a few of its cycles.
        gc.set_threshold(20_000, 20, 10)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what cannot run here."""
    # Deselected, not skipped: without root no step of script/test could make these run.
    boxed = [item for item in items if item.get_closest_marker("box")] if os.geteuid() != 0 else []
    if boxed:
        config.hook.pytest_deselected(items=boxed)
        config.stash[_NEEDS_ROOT] = len(boxed)
        items[:] = [item for item in items if item not in boxed]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say why the run fails, and what was left out."""
    if os.environ.get("CI") and terminalreporter.stats.get("skipped"):
        terminalreporter.write_line("a skipped test fails the run under CI", red=True)
    left_out = config.stash.get(_NEEDS_ROOT, 0)
    if left_out:
        terminalreporter.write_line(f"{left_out} tests were left out: a box needs root", yellow=True)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail it; a worker tells the run's own process what it left out."""
    told = getattr(session.config, "workeroutput", None)
    if told is not None:
        told["needs_root"] = session.config.stash.get(_NEEDS_ROOT, 0)
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and exitstatus == 0 and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Hear it: every worker collects, and leaves out, the same tests."""
    node.config.stash[_NEEDS_ROOT] = getattr(node, "workeroutput", {}).get("needs_root", 0)


@pytest.fixture
def house_plugins(request: pytest.FixtureRequest) -> Sequence[str]:
    """A plugin's tests have that plugin in their house and no other, whatever else is installed."""
    marker = request.node.get_closest_marker("manor")
    if marker is not None and "plugins" in marker.kwargs:
        named: Sequence[str] = marker.kwargs["plugins"]
        return named
    parts = request.path.relative_to(request.config.rootpath).parts
    return [parts[1]] if parts[0] == "plugins" else []
