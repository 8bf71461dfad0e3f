"""`manor plugins new`: which names will do, and what is not overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from manor.cli import main


def new(name: str, folder: Path) -> Result:
    return CliRunner().invoke(main, ["plugins", "new", name, "--folder", str(folder)])


def test_a_project_is_made_and_the_next_steps_are_told(tmp_path: Path) -> None:
    result = new("garden_shed", tmp_path / "not/there/yet")

    project = tmp_path / "not/there/yet/manor-garden-shed"
    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        [
            f"{project} is made. Next:",
            f"  cd {project} && pip install -e '.[testing]' && pytest",
            "  manor plugins enable garden_shed",
        ],
    )
    assert "class GardenShed:" in (project / "manor_garden_shed/plugin.py").read_text()


@pytest.mark.parametrize(
    "name", ["", "Garden", "garden-shed", "1st", "_shed", "shed_", "a__b", "shed!", "kuchyně", "../shed", "x" * 33]
)
def test_a_name_that_will_not_do_is_refused(tmp_path: Path, name: str) -> None:
    result = new(name, tmp_path)

    assert (result.exit_code, "will not do as a plugin's name" in result.stderr) == (1, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["core", "identity", "manor", "testing"])
def test_manor_s_own_names_are_refused(tmp_path: Path, name: str) -> None:
    assert "a name of Manor's own" in new(name, tmp_path).stderr


def test_a_folder_that_is_there_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "manor-shed").mkdir()

    result = new("shed", tmp_path)

    assert (result.exit_code, result.stderr) == (1, f"{tmp_path}/manor-shed is there already\n")
    assert list((tmp_path / "manor-shed").iterdir()) == []
