"""`manor plugins new NAME`: the project of a plugin, in the shape that all plugins here have, with green tests."""

from __future__ import annotations

import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

from manor.errors import ManorError

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_LONGEST = 32
_TAKEN = frozenset({"core", "identity", "manor", "testing"})


def make_project(name: str, folder: Path) -> Path:
    """Write the project `manor-NAME` below a folder.

    Args:
        name: The plugin's name: lower-case letters, digits and single underscores, a letter first, at most 32.
        folder: Where the project's own folder is made.

    Returns:
        The project's folder.

    Raises:
        ManorError: The name will not do, the project is there already, or it cannot be written.
    """
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise ManorError(
            f"{name!r} will not do as a plugin's name: lower-case letters, digits and single underscores, "
            f"a letter first, at most {_LONGEST} characters"
        )
    if name in _TAKEN:
        raise ManorError(f"{name!r} is a name of Manor's own")
    project = folder / f"manor-{name.replace('_', '-')}"
    words = {
        "name": name,
        "package": f"manor_{name}",
        "project": project.name,
        "plugin": "".join(word.capitalize() for word in name.split("_")),
        "constant": name.upper(),
        "path": name.replace("_", "-"),
    }
    try:
        project.mkdir(parents=True)
        _write(files(__name__) / "templates", project, words)
    except FileExistsError:
        raise ManorError(f"{project} is there already") from None
    except OSError as error:
        raise ManorError(f"{error.filename or project}: {error.strerror}") from error
    return project


def _write(templates: Traversable, folder: Path, words: dict[str, str]) -> None:
    for template in templates.iterdir():
        name = template.name.removesuffix(".tmpl").replace("NAME", words["name"])
        if template.is_dir():
            inside = folder / (words["package"] if name == "package" else name)
            inside.mkdir()
            _write(template, inside, words)
        else:
            (folder / name).write_text(Template(template.read_text()).substitute(words))
