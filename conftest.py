"""What every test run keeps to.

Under CI a skipped test is a failure, because it hides a missing install step.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why the run fails."""
    if os.environ.get("CI") and terminalreporter.stats.get("skipped"):
        terminalreporter.write_line("a skipped test fails the run under CI", red=True)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail it."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and exitstatus == 0 and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def house_plugins(request: pytest.FixtureRequest) -> Sequence[str]:
    """A plugin's tests have that plugin in their house and no other, whatever else is installed."""
    marker = request.node.get_closest_marker("manor")
    if marker is not None and "plugins" in marker.kwargs:
        named: Sequence[str] = marker.kwargs["plugins"]
        return named
    parts = request.path.relative_to(request.config.rootpath).parts
    return [parts[1]] if parts[0] == "plugins" else []
