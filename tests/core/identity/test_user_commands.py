"""`manor user …`: what an admin does about people from the shell, with its exit codes and its traces."""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from manor.cli import main

GOOD = "a good long password\n"


def told(result: Result) -> str:
    """What a command says on standard error, without the log: a busy machine is logged as slow."""
    return re.sub(r"^\d{4}-\d\d-\d\d \d\d:.*\n", "", result.stderr, flags=re.MULTILINE)


@dataclass
class Shell:
    """A shell on the machine of a house that nobody has open."""

    config: Path

    def run(self, *arguments: str, stdin: str = "") -> Result:
        return CliRunner().invoke(main, ["user", *arguments, "--config", str(self.config)], input=stdin)

    def json(self, *arguments: str, stdin: str = "") -> Any:
        result = self.run(*arguments, "--json", stdin=stdin)
        assert (result.exit_code, told(result)) == (0, "")
        return json.loads(result.stdout)

    def audited(self) -> list[tuple[str, str, str, str | None]]:
        """Who did what to whom."""
        with sqlite3.connect(self.config.parent / "data/manor.db") as connection:
            return connection.execute("SELECT actor, action, target, detail FROM core_audit ORDER BY id").fetchall()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    (tmp_path / "config.toml").write_text(
        f'[server]\ndata_dir = "{tmp_path}/data"\npin_cpu = false\n'
        "[identity]\nargon2_memory_mib = 19\nargon2_time = 2\n[plugins.auth]\nenabled = false\n[tiers.HOUSE]\n"
    )
    return Shell(tmp_path / "config.toml")


@pytest.fixture
def ada(shell: Shell) -> str:
    """Her id."""
    added: str = shell.json("add", "ada@example.org", "--username", "Ada")["id"]
    return added


def test_everybody_is_listed_by_name_and_the_server_itself_is_not(shell: Shell, ada: str) -> None:
    shell.json("add", "bea@example.org", "--username", "Bea", "--admin")

    listed = shell.run("list")

    assert listed.exit_code == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["USERNAME", "Ada", "Bea"]
    assert listed.stdout.splitlines()[2].endswith("active, admin")
    assert [user["username"] for user in shell.json("list")] == ["Ada", "Bea"]


def test_the_list_goes_on_behind_its_first_page(shell: Shell, ada: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("Bea", "Cleo"):
        shell.json("add", f"{name}@example.org", "--username", name)
    monkeypatch.setattr("manor.cli.user.PAGE", 2)

    assert [user["username"] for user in shell.json("list")] == ["Ada", "Bea", "Cleo"]


def test_somebody_is_found_by_id_address_and_name(shell: Shell, ada: str) -> None:
    shown = [shell.json("show", who) for who in (ada, "ADA@example.org", "aDA")]

    assert shown[0] == shown[1] == shown[2]
    assert (shown[0]["id"], shown[0]["has_password"], shown[0]["sessions"]) == (ada, False, 0)
    assert "signs in with:  nothing\n" in shell.run("show", "ada").stdout


def test_an_id_wins_over_a_name_that_looks_like_it(shell: Shell, ada: str) -> None:
    shell.json("add", "mallory@example.org", "--username", ada)

    assert shell.json("show", ada)["username"] == "Ada"


@pytest.mark.parametrize(
    "arguments",
    [
        ["show"],
        ["disable"],
        ["enable"],
        ["verify"],
        ["disable-mfa"],
        ["make-admin"],
        ["delete", "--yes"],
        ["delete"],
        ["set-password", "--password-stdin"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("who", ["nobody", "no@body", "00000000-0000-7000-8000-000000000001"])
def test_somebody_who_is_not_there_is_exit_1_with_a_sentence(shell: Shell, arguments: list[str], who: str) -> None:
    result = shell.run(arguments[0], who, *arguments[1:], stdin=GOOD)

    assert (result.exit_code, result.stdout) == (1, "")
    assert told(result) == f"There is nobody with the id, address or name '{who}'\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["disable"],
        ["enable"],
        ["verify"],
        ["disable-mfa"],
        ["make-admin"],
        ["delete", "--yes"],
        ["set-password", "--password-stdin"],
    ],
    ids=" ".join,
)
def test_the_server_itself_is_not_touched(shell: Shell, ada: str, arguments: list[str]) -> None:
    result = shell.run(arguments[0], "manor", *arguments[1:], stdin=GOOD)

    assert (result.exit_code, result.stdout) == (1, "")
    assert told(result) == "manor is the server itself and stays as it is\n"


@pytest.mark.parametrize(
    ("arguments", "member", "value", "audited"),
    [
        (["disable", "ada"], "is_active", False, ("identity.user_disabled", None)),
        (["enable", "ada"], "is_active", True, ("identity.user_enabled", None)),
        (["verify", "ada"], "is_verified", True, ("identity.user_verified", None)),
        (["disable-mfa", "ada"], "has_mfa", False, ("identity.mfa_disabled", None)),
        (["make-admin", "ada"], "is_admin", True, ("identity.admin_changed", '{"is_admin":true}')),
        (["make-admin", "ada", "--revoke"], "is_admin", False, ("identity.admin_changed", '{"is_admin":false}')),
        (["set-tier", "ada", "HOUSE"], "tier", "HOUSE", ("identity.tier_changed", '{"tier":"HOUSE"}')),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_change_is_kept_and_audited_as_the_shells(
    shell: Shell, ada: str, arguments: list[str], member: str, value: object, audited: tuple[str, str | None]
) -> None:
    said = shell.run(*arguments)
    changed = shell.json(*arguments)

    assert (said.exit_code, told(said)) == (0, "")
    assert said.stdout.startswith("Ada ")
    assert said.stdout.endswith(f" ({ada})\n")
    assert changed == shell.json("show", ada)
    assert changed[member] == value
    action, detail = audited
    assert shell.audited()[1:] == [("shell", action, ada, detail)] * 2


def test_a_tier_that_is_not_there_is_refused_with_those_that_are(shell: Shell, ada: str) -> None:
    result = shell.run("set-tier", "ada", "GOLD")

    assert (result.exit_code, result.stdout) == (1, "")
    assert told(result) == "tier: there is no 'GOLD'; there are BUSINESS, ESSENTIALS, FREE, HOUSE, TEAM\n"


# --- Passwords -----------------------------------------------------------------------------------------------------


def test_a_password_is_set_from_standard_input_and_stands_nowhere(shell: Shell, ada: str) -> None:
    changed = shell.json("set-password", "ada", "--password-stdin", stdin=GOOD)

    assert changed["has_password"]
    assert shell.audited()[1:] == [("shell", "identity.password_set", ada, None)]
    files = list((shell.config.parent / "data").glob("manor.db*"))
    assert not any(GOOD.strip().encode() in file.read_bytes() for file in files)


@pytest.mark.parametrize(
    ("stdin", "code", "sentence"),
    [
        ("short\n", 1, "password: expected 8 to 1024 characters, got 5\n"),
        ("password\n", 1, "password: too common: it is among the first that are tried\n"),
        ("x" * 2_000_000 + "\n", 1, None),
        ("", 2, "--password-stdin: no password came on standard input\n"),
    ],
    ids=["short", "common", "huge", "none"],
)
def test_a_password_that_cannot_be_one_changes_nothing(
    shell: Shell, ada: str, stdin: str, code: int, sentence: str | None
) -> None:
    result = shell.run("set-password", "ada", "--password-stdin", stdin=stdin)

    assert (result.exit_code, result.stdout) == (code, "")
    assert sentence in (None, told(result))
    assert "Traceback" not in told(result)
    assert len(told(result)) < 200
    assert not shell.json("show", "ada")["has_password"]


def test_without_a_terminal_nobody_is_asked_for_a_password(shell: Shell, ada: str) -> None:
    result = shell.run("set-password", "ada")

    assert (result.exit_code, result.stdout) == (2, "")
    assert told(result) == "there is no terminal to ask for the password: use --password-stdin\n"


# --- Deleting ------------------------------------------------------------------------------------------------------


def test_the_deleted_are_gone_and_their_name_is_free(shell: Shell, ada: str) -> None:
    deleted = shell.json("delete", "ada", "--yes")

    assert deleted["id"] == ada
    assert shell.json("list") == []
    assert shell.audited()[1:] == [("shell", "identity.erasure_begun", ada, None)]
    assert shell.json("add", "ada@example.org", "--username", "Ada")["id"] != ada


@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, 0), ("n\n", 1, 1), ("", 1, 1)])
def test_deleting_asks_first_and_shows_whom(shell: Shell, ada: str, answer: str, code: int, left: int) -> None:
    result = shell.run("delete", "ada", stdin=answer)

    assert result.exit_code == code
    assert f"Erase Ada ({ada}, ada@example.org) for good?" in told(result)
    assert len(shell.json("list")) == left
