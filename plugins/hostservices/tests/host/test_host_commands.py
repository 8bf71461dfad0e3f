"""Jobs that a program does: which one runs on a host that is rebuilt, and what a rehearsal of it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from manor_hostservices.backends.backend import Backend
from manor_hostservices.backends.nixos import NixOs
from manor_hostservices.backends.sandbox import Sandbox
from manor_hostservices.config import HostConfig, JobCommands
from manor_hostservices.places import Places
from manor_hostservices.programs import Done, WrittenDown
from manor_hostservices.refusals import Failed, Invalid
from manor_hostservices.verbs import JobKind
from tests.host_jobs import Heard

OWN = JobCommands(rollback=("snapper", "undochange"))


@pytest.fixture(params=[NixOs, Sandbox])
def kind_of_host(request: pytest.FixtureRequest) -> type[NixOs | Sandbox]:
    chosen: type[NixOs | Sandbox] = request.param
    return chosen


@pytest.fixture
def programs() -> WrittenDown:
    return WrittenDown(answers={("nixos-rebuild", "switch", "--upgrade"): Done(1, "error: no such attribute\n")})


@pytest.fixture
def rebuilt(kind_of_host: type[NixOs | Sandbox], programs: WrittenDown, tmp_path: Path) -> Backend:
    """A host that is rebuilt, with a way back of its own."""
    return kind_of_host(HostConfig(jobs=OWN), Places(tmp_path), programs)


@pytest.mark.parametrize(
    ("kind", "dry_run", "ran", "said"),
    [
        ("apply", False, [("nixos-rebuild", "switch")], ["Running nixos-rebuild", "nixos-rebuild is done"]),
        ("apply", True, [("nixos-rebuild", "dry-activate")], ["Running nixos-rebuild", "nixos-rebuild is done"]),
        (
            "upgrade",
            True,
            [("nixos-rebuild", "dry-activate", "--upgrade")],
            ["Running nixos-rebuild", "nixos-rebuild is done"],
        ),
        ("rollback", False, [("snapper", "undochange")], ["Running snapper", "snapper is done"]),
        ("rollback", True, [], ["Would run snapper undochange"]),
    ],
)
async def test_a_host_is_rebuilt_unless_its_administrator_says_otherwise(
    rebuilt: Backend, programs: WrittenDown, kind: JobKind, dry_run: bool, ran: list[tuple[str, ...]], said: list[str]
) -> None:
    heard = Heard()
    await rebuilt.perform(kind, heard, dry_run=dry_run)

    assert programs.ran == ran
    assert heard.messages == said
    assert heard.fractions == [1]


async def test_a_rebuild_that_fails_says_why(rebuilt: Backend) -> None:
    heard = Heard()
    with pytest.raises(Failed, match="nixos-rebuild: error: no such attribute"):
        await rebuilt.perform("upgrade", heard)
    with pytest.raises(Invalid, match="no job of the host's: backup"):
        await rebuilt.perform("backup", heard)

    assert heard.lines == ["error: no such attribute"]
    assert heard.fractions == []
