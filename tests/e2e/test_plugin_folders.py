"""Plugins that an admin drops into a folder: one that works, and some that do not."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.clients import Answer, ask, listening
from tests.e2e.conftest import Make
from tests.e2e.daemon import Daemon

BELL = '''
"""A door's bell, with a window that is broken."""

import msgspec
from manor import DETAIL, PUBLIC, Api, BackgroundTask, Route, hookimpl

BELL = Api("bell", DETAIL)


class Rung(msgspec.Struct):
    rung: bool = True


class Bell:
    def __init__(self, context):
        self._log = context.log

    @hookimpl
    def manor_routes(self):
        return [
            Route("POST", "/bell", self._ring, api=BELL, access=PUBLIC),
            Route("GET", "/bell/window", self._look, api=BELL, access=PUBLIC),
        ]

    @hookimpl
    def manor_background_tasks(self):
        return [BackgroundTask("listen", self._listen)]

    async def _ring(self, request):
        """Ring it."""
        return Rung()

    async def _look(self, request):
        """Look through the window."""
        raise RuntimeError("broken glass")

    async def _listen(self):
        raise OSError("nobody there")
'''

MISSPELT = '''
from manor import hookimpl


class Attic:
    def __init__(self, context):
        """Nothing to keep."""

    @hookimpl
    def manor_ruotes(self):
        return []
'''

BROKEN = {
    "cellar": ("import no_such_module_of_the_cellar\n", "no_such_module_of_the_cellar"),
    "attic": (MISSPELT, "manor_ruotes"),
    "garden": (MISSPELT.replace("manor_ruotes", "manor_routes").replace("return []", "raise KeyError('mole')"), "mole"),
    "shed": (
        BELL.replace('"/bell"', '"/shed"').replace('"/bell/window"', '"/shed/window"').replace("access=PUBLIC", "", 1),
        "access",
    ),
}
"""Plugins with a fault of their own, by name: their code, and a word that the reason has to name."""


def drop(folder: Path, name: str, code: str, class_name: str) -> None:
    project = folder / f"manor-{name}"
    project.mkdir()
    (project / f"e2e_{name}.py").write_text(code)
    (project / "pyproject.toml").write_text(
        f'[project]\nname = "manor-{name}"\nversion = "1"\n'
        f'[project.entry-points."manor.plugins"]\n{name} = "e2e_{name}:{class_name}"\n'
    )


def started(make: Make) -> Daemon:
    """A daemon with a folder of plugins, all of them switched on."""
    daemon = make()
    folder = daemon.folder / "plugins"
    folder.mkdir()
    drop(folder, "bell", BELL, "Bell")
    for name, (code, _) in BROKEN.items():
        drop(folder, name, code, "Bell" if "class Bell" in code else "Attic")
    enabled = {name: {"enabled": True} for name in ("bell", *BROKEN)}
    daemon.configure({"server": {"plugin_folders": [str(folder)]}, "plugins": enabled})
    daemon.start()
    return daemon


async def test_a_folder_of_plugins_serves_what_works_and_names_what_does_not(make: Make) -> None:
    daemon = started(make)
    port = daemon.port

    async with listening(port, "welcome") as events:
        rung = await ask(port, "POST", "/bell")
        looked = await ask(port, "GET", "/bell/window")
        published = await ask(port, "POST", "/welcome", "Hello")
        assert [heard.json["message"] for heard in await events.messages(1)] == ["Hello"]
    readiness = await ask(port, "GET", "/readyz")
    listed = daemon.manor("plugins", "list", "--json")
    checked = daemon.manor("config", "check")
    described = await daemon.manor_here("openapi")

    assert (rung.status, rung.json) == (200, {"rung": True})
    assert (looked.status, looked.json) == (500, {"detail": "Internal server error"})
    assert published.status == 200
    assert_named(readiness, listed.stdout)
    assert checked.returncode == 78
    for name, (_, word) in BROKEN.items():
        assert [line for line in checked.stderr.splitlines() if f"'{name}'" in line and word in line], checked.stderr
        left_out = f"manor: the plugin '{name}' is left out"
        assert [line for line in described.stderr.splitlines() if left_out in line and word in line], described.stderr
    assert "/bell" in json.loads(described.stdout)["paths"]
    assert "broken glass" in daemon.log.wait_for("broken glass")
    assert daemon.stop() == 0
    created = daemon.manor("topics", "create", "hall", "--json")
    assert [topic["name"] for topic in json.loads(created.stdout)] == ["hall"], "what is logged is on stderr"
    assert "no_such_module_of_the_cellar" in created.stderr


def assert_named(readiness: Answer, listed: str) -> None:
    """See that each broken plugin is named with its reason, where admins look."""
    assert (readiness.status, readiness.json["status"]) == (200, "ready")
    degraded = {part["plugin"]: part["reason"] for part in readiness.json["degraded"] if part["plugin"] != "bell"}
    rows = {row["name"]: row for row in json.loads(listed)}
    assert degraded.keys() == BROKEN.keys()
    for name, (_, word) in BROKEN.items():
        assert word in degraded[name]
        assert rows[name]["state"] == "quarantined"
        assert rows[name]["reason"] == degraded[name]
    assert {rows[name]["state"] for name in ("topics", "bell")} == {"enabled"}
    assert rows["bell"]["source"].endswith("plugins/manor-bell")
