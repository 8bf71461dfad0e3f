"""A real host's accounts and keys, managed by the back end for systemd and tried with `ssh`."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from manor_hostservices.refusals import Conflicting, Failed, Invalid, Missing
from manor_hostservices.verbs import (
    AddKey,
    AddUser,
    DeleteUser,
    ReadKeys,
    ReadUsers,
    RemoveKey,
    Verb,
)
from tests.box.host import HASH, STATE, HostInBox, Server

pytestmark = pytest.mark.box

SHADOW = "/etc/shadow"


def write_as(host: HostInBox, account: str, command: str) -> None:
    host.box.run("setpriv", f"--reuid={account}", f"--regid={account}", "--clear-groups", "sh", "-c", command)


# --- Accounts ------------------------------------------------------------------------------------------------------


def test_an_account_has_a_home_and_the_password_and_is_gone_with_all_it_had(host: HostInBox) -> None:
    host.ask(AddUser("eve", HASH))
    made = host.box.run("getent", "passwd", "eve").split(":")
    shadow = host.box.run("getent", "shadow", "eve").split(":")
    owner = host.box.run("stat", "--format=%U:%G", "/home/eve")
    # What an account still runs does not keep it.
    host.box.run("systemd-run", "--quiet", "--uid=eve", "sleep", "infinity")
    host.box.run("sh", "-c", "mkdir -p /var/spool/cron/crontabs; echo '@daily id' > /var/spool/cron/crontabs/eve")
    names = host.ask(ReadUsers())
    host.ask(DeleteUser("eve"))

    assert int(made[2]) >= 1000
    assert made[5:] == ["/home/eve", "/bin/bash"]
    assert shadow[1] == HASH
    assert owner == "eve:eve"
    assert names == ["eve"]
    assert host.box.attempt("getent", "passwd", "eve").returncode == 2
    assert host.box.attempt("getent", "group", "eve").returncode == 2
    assert host.box.attempt("pgrep", "-u", made[2]).returncode != 0
    assert [
        path.name for path in (host.box.root / "home").iterdir() if "eve" in path.name or "manor" in path.name
    ] == []
    assert host.read("/var/spool/cron/crontabs/eve") is None, "the next account of this name would run it"
    assert host.ask(ReadUsers()) == []


def test_accounts_that_were_not_made_from_here_are_not_touched(host: HostInBox, started: Server) -> None:
    host.box.run("useradd", "--create-home", "bob")
    shadow = host.read(SHADOW)
    for name, refusal, sentence in (
        ("bob", Conflicting, "User already exists"),
        ("chief", Conflicting, "User already exists"),
        ("root", Conflicting, "forbidden"),
        ("manor", Conflicting, "forbidden"),
        ("systemd-network", Conflicting, "forbidden"),
        ("daemon", Conflicting, "User already exists"),
        ("users", Conflicting, "a group of this name"),
        ("-rf", Invalid, "alphanumeric"),
        ("a/../b", Invalid, "alphanumeric"),
    ):
        with pytest.raises(refusal, match=sentence):
            host.ask(AddUser(name, HASH))
    for name, other in (("bob", Missing), ("daemon", Missing), ("root", Missing), ("chief", Invalid)):
        with pytest.raises(other):
            host.ask(DeleteUser(name))

    assert host.read(SHADOW) == shadow
    assert (host.box.root / "home/bob").is_dir()
    host.box.run("userdel", "--remove", "bob")


def test_an_account_that_somebody_made_anew_is_not_ours(eve: HostInBox, server: Server) -> None:
    eve.box.run("usermod", "--uid", "4711", "eve")
    with pytest.raises(Conflicting, match="not ours any more"):
        eve.ask(DeleteUser("eve"))
    with pytest.raises(Conflicting, match="not ours any more"):
        eve.ask(AddKey("eve", server.key))
    eve.box.run("usermod", "--uid", "300", "eve")
    with pytest.raises(Conflicting):
        eve.ask(DeleteUser("eve"))

    assert eve.box.run("id", "-u", "eve") == "300"
    eve.box.run("userdel", "--remove", "eve")
    eve.ask(DeleteUser("eve"))  # of what is gone, only the note is left to remove
    assert eve.ask(ReadUsers()) == []


def test_an_account_of_the_system_is_not_touched_whatever_the_notes_say(host: HostInBox, server: Server) -> None:
    accounts = [{"name": name, "password_hash": HASH} for name in ("daemon", "manor", "root")]
    host.box.put(STATE, msgspec.json.encode({"accounts": accounts}).decode(), 0o600)
    for account in accounts:
        with pytest.raises(Conflicting, match="belongs to the system"):
            host.ask(DeleteUser(account["name"]))
        if account["name"] != "root":
            with pytest.raises(Conflicting, match="belongs to the system"):
                host.ask(AddKey(account["name"], server.key))

    assert all(host.box.attempt("getent", "passwd", account["name"]).returncode == 0 for account in accounts)


def test_files_from_before_are_not_a_new_accounts(host: HostInBox) -> None:
    host.box.put("/home/eve/secret", "somebody else's")
    with pytest.raises(Conflicting, match="a home of this name"):
        host.ask(AddUser("eve", HASH))

    assert host.box.attempt("getent", "passwd", "eve").returncode == 2
    host.box.run("rm", "-r", "/home/eve")


def test_an_account_that_cannot_be_noted_is_not_left_behind(host: HostInBox) -> None:
    box, folder = host.box, STATE.rpartition("/")[0]
    box.run("mkdir", "-p", folder)
    box.run("mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", folder)
    try:
        box.attempt("dd", "if=/dev/zero", f"of={folder}/full", "bs=4k", "count=2")
        with pytest.raises(Failed, match="No space left"):
            host.ask(AddUser("eve", HASH))
    finally:
        box.run("umount", folder)

    assert box.attempt("getent", "passwd", "eve").returncode == 2
    assert not (box.root / "home/eve").exists()


def test_an_account_whose_end_cannot_be_noted_leaves_no_files(eve: HostInBox) -> None:
    box, folder = eve.box, STATE.rpartition("/")[0]
    box.run("cp", STATE, "/root/state.json")
    box.run("mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", folder)
    try:
        box.run("cp", "/root/state.json", folder)
        box.attempt("dd", "if=/dev/zero", f"of={folder}/full", "bs=4k", "count=2")
        with pytest.raises(Failed, match="No space left"):
            eve.ask(DeleteUser("eve"))
    finally:
        box.run("umount", folder)

    assert box.attempt("getent", "passwd", "eve").returncode == 2
    assert [path.name for path in (box.root / "home").iterdir() if "eve" in path.name or "manor" in path.name] == []
    eve.ask(DeleteUser("eve"))  # the note is left, for whoever tries again
    assert eve.ask(ReadUsers()) == []


# --- Keys ----------------------------------------------------------------------------------------------------------


def test_a_key_lets_in_until_it_is_removed(eve: HostInBox, server: Server) -> None:
    assert not server.lets_in("eve")
    eve.ask(AddKey("eve", server.key))
    came = server.try_to_come_in("eve")
    mode = eve.box.run("stat", "--format=%U:%G %a", "/home/eve/.ssh", "/home/eve/.ssh/authorized_keys").splitlines()
    keys = eve.ask(ReadKeys("eve"))
    with pytest.raises(Conflicting, match="Key already exists"):
        eve.ask(AddKey("eve", server.key.replace("eve@laptop", "another comment")))
    with pytest.raises(Missing, match="Key not found"):
        eve.ask(RemoveKey("eve", server.key.replace("eve@laptop", "another comment")))
    eve.ask(RemoveKey("eve", server.key))

    assert came.stdout == "eve\n"
    assert mode == ["eve:eve 700", "eve:eve 600"]
    assert keys == [server.key]
    assert not server.lets_in("eve")
    assert eve.ask(ReadKeys("eve")) == []


def test_lines_that_are_not_ours_are_kept(eve: HostInBox, server: Server) -> None:
    theirs = f"# mine\nrestrict {server.key}\n\necdsa-sha2-nistp256 AAAA eve@phone"
    write_as(eve, "eve", f"mkdir -m 700 ~eve/.ssh; printf '%s' '{theirs}' > ~eve/.ssh/authorized_keys")
    before = eve.ask(ReadKeys("eve"))
    eve.ask(AddKey("eve", server.key))
    added = eve.read("/home/eve/.ssh/authorized_keys")
    eve.ask(RemoveKey("eve", server.key))
    with pytest.raises(Missing):
        eve.ask(RemoveKey("eve", "# mine"))
    eve.ask(AddKey("eve", server.key))
    write_as(eve, "eve", f"printf '%s\\n' '{theirs}' > ~eve/.ssh/authorized_keys")
    eve.ask(RemoveKey("eve", server.key))  # of which only the note is left
    eve.perform("apply")

    assert before == []
    assert added == f"{theirs}\n{server.key}\n"
    assert eve.read("/home/eve/.ssh/authorized_keys") == f"{theirs}\n"


@pytest.mark.parametrize(
    "trap",
    [
        "mkdir ~eve/.ssh; ln -s /etc/shadow ~eve/.ssh/authorized_keys",
        "mkdir ~eve/.ssh; mkfifo ~eve/.ssh/authorized_keys",
        "mkdir ~eve/.ssh ~eve/.ssh/authorized_keys",
        "ln -s /etc ~eve/.ssh",
        "ln -s /root/.ssh ~eve/.ssh",
        "touch ~eve/.ssh",
        # Even a link to what is its own: it may be turned between two looks.
        "mkdir ~eve/other; ln -s other ~eve/.ssh",
        "mkdir ~eve/.ssh; touch ~eve/other; ln -s ../other ~eve/.ssh/authorized_keys",
    ],
)
def test_traps_in_a_home_are_left_alone(eve: HostInBox, server: Server, trap: str) -> None:
    write_as(eve, "eve", trap)
    shadow, roots = eve.read(SHADOW), eve.read("/root/.ssh/authorized_keys")
    verbs: list[Verb[Any]] = [ReadKeys("eve"), AddKey("eve", server.key), RemoveKey("eve", server.key)]
    for verb in verbs:
        with pytest.raises(Conflicting, match="left alone"):
            eve.ask(verb)

    assert eve.read(SHADOW) == shadow
    assert eve.read("/root/.ssh/authorized_keys") == roots
    assert eve.box.run("stat", "--format=%U:%G %a", SHADOW) == "root:shadow 640"


def test_a_second_name_of_roots_file_is_not_given_away(eve: HostInBox, server: Server) -> None:
    eve.box.put("/home/secret", "root's alone\n", 0o600)
    write_as(eve, "eve", "mkdir -m 700 ~eve/.ssh")
    eve.box.run("ln", "/home/secret", "/home/eve/.ssh/authorized_keys")
    with pytest.raises(Conflicting, match="not its own file"):
        eve.ask(AddKey("eve", server.key))

    assert eve.box.run("stat", "--format=%U %a", "/home/eve/.ssh/authorized_keys") == "root 600"


def test_keys_are_for_accounts_that_were_made_from_here(host: HostInBox, server: Server) -> None:
    for user in ("daemon", "manor", "nobody", "../root"):
        verbs: list[Verb[Any]] = [ReadKeys(user), AddKey(user, server.key), RemoveKey(user, server.key)]
        for verb in verbs:
            with pytest.raises(Missing, match="User not found"):
                host.ask(verb)
    with pytest.raises(Invalid, match="Invalid key type"):
        host.ask(AddKey("root", f'command="sh" {server.key}'))
    with pytest.raises(Invalid):
        host.ask(AddKey("root", f"{server.key}\nssh-rsa AAAA"))

    assert host.ask(ReadKeys("root")) == []
