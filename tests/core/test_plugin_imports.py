"""Plugins stand on the public API alone: what a stranger may import is all that ours do."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = [*ROOT.glob("plugins/*/manor_*"), *ROOT.glob("examples/*/manor_*")]

PUBLIC = {"manor", "manor.testing"}
IN_COMMANDS = {"manor.cli", "manor.cli.address"}


def imports(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_a_plugin_imports_public_names_only(package: Path) -> None:
    wrong = {
        f"{module.relative_to(package)} imports {name}"
        for module in package.rglob("*.py")
        for name in imports(module)
        if name.partition(".")[0] == "manor" and name not in PUBLIC
        if not (name in IN_COMMANDS and module.stem in ("cli", "client", "publish_client"))
    }

    assert wrong == set()


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_a_plugin_imports_no_other_plugin(package: Path) -> None:
    names = {name.partition(".")[0] for module in package.rglob("*.py") for name in imports(module)}

    assert {name for name in names if name.startswith("manor_")} <= {package.name}
