"""The tutorial shows the example, file by file, as it is installed and tested."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/manor-doorbell"
TEXT = (ROOT / "docs/tutorial/first-plugin.md").read_text()
BLOCKS = dict(re.findall(r"^`([^`\n]+)`\n\n```(?:python|toml)\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL))
FILES = sorted(
    path.relative_to(EXAMPLE).as_posix()
    for pattern in ("*.toml", "manor_doorbell/*.py", "tests/*.py")
    for path in EXAMPLE.glob(pattern)
)


def test_every_file_of_the_example_is_shown_and_no_other() -> None:
    assert sorted(BLOCKS) == FILES


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_shown_as_it_is(name: str) -> None:
    assert BLOCKS[name] == (EXAMPLE / name).read_text()


def test_the_tutorial_links_to_pages_that_are_there() -> None:
    targets = re.findall(r"\]\((\.\./[^)]+)\)", TEXT)

    assert [target for target in targets if not (ROOT / "docs/tutorial" / target).resolve().exists()] == []


def test_a_new_plugin_has_the_example_s_shape(tmp_path: Path) -> None:
    from manor.scaffold import make_project

    project = make_project("doorbell", tmp_path)

    shape = {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}
    like = {*FILES, "README.md", "manor_doorbell/py.typed"} - {"manor_doorbell/ringing.py"} | {
        "manor_doorbell/noting.py"
    }
    assert shape == like
