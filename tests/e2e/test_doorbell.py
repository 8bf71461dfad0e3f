"""A stranger's plugin: installed, tested and checked in an environment of its own, as its author would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples/manor-doorbell"
SOURCES = shutil.ignore_patterns("__pycache__", ".*_cache")


class Environment:
    """A virtual environment with one plugin in it; Manor and the test tools are borrowed from ours."""

    def __init__(self, folder: Path, project: Path) -> None:
        self._project = project
        self._python = folder / "bin/python"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=60)
        purelib = sysconfig.get_path("purelib")
        site = (
            self._python.parent.parent / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
        )
        # addsitedir rather than the path alone: an editable Manor is itself a .pth file in there.
        (site / "borrowed.pth").write_text(f"import site; site.addsitedir({purelib!r})\n")
        self.run("pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", str(project))

    def run(self, module: str, *arguments: str) -> str:
        """Run a module's command in the project's folder; returns what it printed."""
        done = subprocess.run(
            [self._python, "-m", module, *arguments],
            cwd=self._project,
            env={name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "MANOR", "CI"))},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{module} {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module", params=["doorbell", "garden_shed"])
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The example, and what `manor plugins new` makes."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "doorbell":
        project = folder / EXAMPLE.name
        shutil.copytree(EXAMPLE, project, ignore=SOURCES)
    else:
        command = [sys.executable, "-m", "manor", "plugins", "new", request.param, "--folder", str(folder)]
        subprocess.run(command, check=True, timeout=60, stdout=subprocess.DEVNULL)
        project = folder / "manor-garden-shed"
    return Environment(folder / "venv", project)


def test_its_tests_are_green(installed: Environment) -> None:
    assert "failed" not in installed.run("pytest", "-q", "-p", "no:cacheprovider")


def test_its_types_fit(installed: Environment, request: pytest.FixtureRequest) -> None:
    # Kept between runs as mypy itself keeps it, for all of Manor is read along.
    assert request.config.cache is not None
    assert "Success" in installed.run("mypy", "--cache-dir", str(request.config.cache.mkdir("mypy")))


def test_it_is_formatted_and_lint_free(installed: Environment) -> None:
    installed.run("ruff", "format", "--check", "--no-cache", ".")
    installed.run("ruff", "check", "--no-cache", "--select", "A,B,E,F,I,N,RUF,UP,W", ".")


def test_manor_finds_it_and_nobody_has_to_configure_it(installed: Environment, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("")
    names = [
        line.split()[0] for line in installed.run("manor", "plugins", "list", "--config", str(config)).splitlines()
    ]
    mine = next(name for name in names if name in ("doorbell", "garden_shed"))

    installed.run("manor", "plugins", "enable", mine, "--config", str(config))
    installed.run("manor", "config", "check", "--config", str(config))

    routes = installed.run("manor", "routes", "--config", str(config))
    assert [line for line in routes.splitlines() if mine in line.split()]
