"""The `manor` command as a whole: what it imports, how it fails, and that all of it is documented."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from manor.cli import Failure, Misuse, NoPermission, Unavailable, main
from manor.cli.group import Lazy, LazyGroup
from manor.errors import AdminFault, Conflict, Forbidden, ManorError, Problem

REFERENCE = Path(__file__).parents[2] / "docs/reference/cli.md"
EVERYWHERE = {"--help", "--config", "--json", "--version"}


def leaves(
    command: click.Command, context: click.Context, words: tuple[str, ...]
) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by how it is called."""
    if not isinstance(command, click.Group):
        yield " ".join(words), command
        return
    for name in command.list_commands(context):
        inside = command.get_command(context, name)
        assert inside is not None
        yield from leaves(inside, context, (*words, name))


ALL = dict(leaves(main, click.Context(main), ("manor",)))


def imported_by(code: str) -> set[str]:
    """Top-level packages that a new Python has imported after running this."""
    code = f"{code}\nimport sys\nprint('|', *sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.rpartition("|")[2].split())


@pytest.mark.parametrize(
    "arguments", [["--help"], ["publish", "--help"], ["config", "--help"], ["user", "add", "--help"]]
)
def test_help_waits_for_nothing_heavy(arguments: list[str]) -> None:
    packages = imported_by(f"from manor.cli import main\nmain({arguments!r}, standalone_mode=False)")

    assert "click" in packages
    assert not packages & {"trio", "sqlalchemy", "quart", "hypercorn", "pluggy", "structlog", "jinja2", "aiosqlite"}


def test_the_list_of_commands_imports_no_plugin() -> None:
    assert "manor_topics" not in imported_by("from manor.cli import main\nmain(['--help'], standalone_mode=False)")


def test_help_names_the_commands_of_plugins() -> None:
    shown = CliRunner().invoke(main, ["--help"]).output

    assert re.search(r"^  topics +by manor_topics$", shown, re.MULTILINE)
    assert re.search(r"^  serve +Run the daemon\.$", shown, re.MULTILINE)


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_command_takes_a_configuration(name: str) -> None:
    assert "--config" in {option for parameter in ALL[name].params for option in parameter.opts}


# --- How it fails --------------------------------------------------------------------------------------------------


def failing(error: BaseException) -> LazyGroup:
    @click.command()
    def now() -> None:
        raise error

    group = LazyGroup(lazy={})
    group.add_command(now)
    return group


NAMELESS = AdminFault(
    [Problem("config.toml", "server.bind: expected array, got int"), Problem("b.toml", "unknown key")]
)


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (ManorError("the cellar is flooded"), 1, "the cellar is flooded\n"),
        (Conflict("there is one already"), 1, "there is one already\n"),
        (Misuse("say which"), 2, "say which\n"),
        (Unavailable("nobody is at home"), 69, "nobody is at home\n"),
        (Forbidden("not you"), 77, "not you\n"),
        (NoPermission("not you"), 77, "not you\n"),
        (PermissionError(13, "Permission denied", "/data"), 77, "/data: Permission denied\n"),
        (NAMELESS, 78, "config.toml: server.bind: expected array, got int\nb.toml: unknown key\n"),
        (ExceptionGroup("a nursery's", [ExceptionGroup("another's", [ManorError("flooded")])]), 1, "flooded\n"),
        (ExceptionGroup("a nursery's", [Unavailable("one"), Unavailable("other")]), 69, "one\n"),
        (KeyboardInterrupt(), 130, ""),
        (BaseExceptionGroup("a nursery's", [KeyboardInterrupt()]), 130, ""),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_an_expected_error_ends_with_a_sentence_and_its_code(error: BaseException, code: int, told: str) -> None:
    result = CliRunner().invoke(failing(error), ["now"])

    assert (result.exit_code, result.stderr, result.stdout) == (code, told, "")


def test_an_error_of_ours_keeps_its_traceback() -> None:
    result = CliRunner().invoke(failing(ZeroDivisionError("a bug")), ["now"])

    assert isinstance(result.exception, ZeroDivisionError)


def test_an_unknown_command_is_a_misuse() -> None:
    result = CliRunner().invoke(main, ["frobnicate"])

    assert (result.exit_code, "No such command 'frobnicate'" in result.stderr) == (2, True)


def test_a_command_of_the_core_is_imported_when_it_is_used() -> None:
    group = LazyGroup(lazy={"absent": Lazy("manor.no_such_module:absent", "Not there.")})

    assert "Not there." in CliRunner().invoke(group, ["--help"]).output


@pytest.mark.parametrize("arguments", [["--help"], ["bell", "ring"]])
def test_a_plugin_that_cannot_be_imported_costs_only_its_own_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    info = tmp_path / "bell-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bell\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[manor.commands]\nbell = broken_bell:bell\n")
    (tmp_path / "broken_bell.py").write_text("import no_such_module_of_bell\n")
    monkeypatch.syspath_prepend(tmp_path)

    result = CliRunner().invoke(main, arguments)

    if arguments == ["--help"]:
        assert "by broken_bell" in result.output
    else:
        why = "No module named 'no_such_module_of_bell'"
        assert result.stderr == f"'manor bell' cannot be loaded from broken_bell:bell: {why}\n"
        assert result.exit_code == Failure.exit_code


# --- The reference -------------------------------------------------------------------------------------------------


def sections() -> dict[str, str]:
    """The reference by command: `manor topics create` → its text."""
    parts = re.split(r"^## (manor .*)$", REFERENCE.read_text(), flags=re.MULTILINE)[1:]
    words = re.compile(r"manor(?: [a-z-]+)+")
    found = {}
    for heading, text in zip(parts[::2], parts[1::2], strict=True):
        name = words.match(heading)
        assert name is not None, heading
        found[name[0]] = text
    return found


def test_the_reference_has_every_command_and_no_other() -> None:
    assert sorted(sections()) == sorted(ALL)


@pytest.mark.parametrize("name", sorted(ALL))
def test_the_reference_has_every_option_and_no_other(name: str) -> None:
    options = {option for parameter in ALL[name].params for option in parameter.opts if option.startswith("--")}
    documented = set(re.findall(r"^\| `(--[a-z-]+)", sections()[name], flags=re.MULTILINE))

    assert documented == options - EVERYWHERE


def test_the_reference_has_every_exit_code() -> None:
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", REFERENCE.read_text(), flags=re.MULTILINE)}

    assert listed == {0, 1, 2, 69, 77, 78, 130}
