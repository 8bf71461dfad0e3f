"""A real host's accounts, keys and SSH server, managed by the back end for systemd and tried with `ssh`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from manor_hostservices.refusals import Conflicting, Failed, Invalid, Missing, NotHere
from manor_hostservices.verbs import (
    AddKey,
    AddUser,
    DeleteUser,
    ReadAutoUpgrade,
    ReadDkim,
    ReadJournal,
    ReadKeys,
    ReadServices,
    ReadSsh,
    ReadTimezone,
    ReadUsers,
    RemoveKey,
    SetAutoUpgrade,
    SetSsh,
    SetTimezone,
    SshSettings,
    SwitchService,
    Verb,
)
from tests.box.host import STATE, HostInBox, Server, host_in

pytestmark = pytest.mark.box

HASH = "$6$saltsalt$" + "a" * 86
DROP_IN = "/etc/ssh/sshd_config.d/50-manor.conf"
SHADOW = "/etc/shadow"


@pytest.fixture(scope="module")
def started(host_process: HostInBox, ssh_server: Server) -> Iterator[Server]:
    """The SSH server, on."""
    host_process.ask(SetSsh(enable=True))
    yield ssh_server
    host_process.ask(SetSsh(enable=False))


@pytest.fixture
def server(started: Server) -> Iterator[Server]:
    """The SSH server without keys of administrators."""
    yield started
    root = started.box.root
    for path in ("root/.ssh/authorized_keys", "home/chief/.ssh/authorized_keys"):
        (root / path).unlink(missing_ok=True)
    if (root / DROP_IN.lstrip("/")).exists():
        (root / DROP_IN.lstrip("/")).unlink()
        # A reload says it is done before the server reads: it would read what the next test breaks.
        started.box.run("systemctl", "restart", "ssh.service")


@pytest.fixture
def eve(host: HostInBox) -> Iterator[HostInBox]:
    """The host with an account that was made from here."""
    host.ask(AddUser("eve", HASH))
    yield host
    if "eve" in host.ask(ReadUsers()):
        host.ask(DeleteUser("eve"))


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


# --- The server ----------------------------------------------------------------------------------------------------


def test_the_server_goes_off_and_comes_back(host: HostInBox, server: Server) -> None:
    host.ask(AddKey("root", server.key))
    assert server.try_to_come_in("root").stdout == "root\n"
    off = host.ask(SetSsh(enable=False))
    refused = server.try_to_come_in("root").stderr
    was = host.is_active("ssh.service"), host.is_enabled("ssh.service")
    # Only once it is off is its folder in /run gone, without which sshd checks nothing.
    still_off = host.ask(SetSsh(password_authentication=False))
    on = host.ask(SetSsh(enable=True))

    assert off == SshSettings(enable=False, password_authentication=True)
    assert "Connection refused" in refused
    assert was == ("inactive", "disabled")
    assert still_off == SshSettings(enable=False, password_authentication=False)
    assert on == host.ask(ReadSsh()) == SshSettings(enable=True, password_authentication=False)
    assert host.is_enabled("ssh.service") == "enabled"
    assert server.lets_in("root")


def test_a_server_behind_a_socket_comes_back_behind_it(host: HostInBox, server: Server) -> None:
    host.ask(SetSsh(enable=False))
    listen = f"[Socket]\nListenStream=\nListenStream=127.0.0.1:{server.port}\n"
    host.box.put("/etc/systemd/system/ssh.socket.d/port.conf", listen)
    wanted = "/etc/systemd/system/sockets.target.wants"
    host.box.run(
        "sh", "-c", f"mkdir -p {wanted}; ln -s /lib/systemd/system/ssh.socket {wanted}; systemctl daemon-reload"
    )
    host.box.run("systemctl", "start", "ssh.socket")
    before = host.ask(ReadSsh())
    host.ask(SetSsh(enable=False))
    off = host.is_active("ssh.socket"), host.is_enabled("ssh.socket")
    host.ask(SetSsh(enable=True))
    on = host.is_active("ssh.socket"), host.is_enabled("ssh.socket"), host.is_enabled("ssh.service")
    host.ask(SetSsh(enable=False))
    host.forget()
    host.ask(SetSsh(enable=True))

    assert before.enable is True
    assert off == ("inactive", "disabled")
    assert on == ("active", "enabled", "disabled")
    assert host.is_enabled("ssh.service") == "enabled", "nobody remembers the socket any more"


def test_passwords_go_off_only_when_somebody_has_a_key(host: HostInBox, server: Server) -> None:
    with pytest.raises(Conflicting, match="Nobody could sign in"):
        host.ask(SetSsh(password_authentication=False))
    nothing = host.read(DROP_IN)
    host.ask(AddKey("chief", server.key))
    host.ask(SetSsh(password_authentication=False))
    offered = server.try_to_come_in("chief", "-o", "PubkeyAuthentication=no").stderr
    came = server.try_to_come_in("chief").stdout
    host.ask(SetSsh(password_authentication=True))
    offered_again = server.try_to_come_in("nobody", "-o", "PubkeyAuthentication=no").stderr
    host.ask(RemoveKey("chief", server.key))
    forced = host.ask(SetSsh(password_authentication=False, force=True))

    host.forget()
    host.box.run("systemctl", "stop", "ssh.service")
    down = host.ask(SetSsh(password_authentication=True))
    noted = host.state()["ssh"]
    host.box.run("systemctl", "start", "ssh.service")

    assert nothing is None
    assert "(publickey)" in offered
    assert came == "chief\n"
    assert "(publickey,password)" in offered_again
    assert forced.password_authentication is False
    assert down.enable is False
    assert noted["enable"] is True, "a server that is down for a moment was not switched off"


def test_roots_key_is_no_way_in_where_root_may_not_sign_in(host: HostInBox, server: Server) -> None:
    host.ask(AddKey("root", server.key))
    host.box.put("/etc/ssh/sshd_config.d/10-admin.conf", "PermitRootLogin no\n")
    with pytest.raises(Conflicting, match="Nobody could sign in"):
        host.ask(SetSsh(password_authentication=False))
    (host.box.root / "etc/ssh/sshd_config.d/10-admin.conf").unlink()


def test_a_setting_that_another_file_overrules_is_taken_back(host: HostInBox, server: Server) -> None:
    host.ask(AddKey("root", server.key))
    host.ask(SetSsh(password_authentication=True))
    before = host.read(DROP_IN)
    host.box.put("/etc/ssh/sshd_config.d/10-cloud.conf", "PasswordAuthentication yes\n")
    with pytest.raises(Failed, match="Another file"):
        host.ask(SetSsh(password_authentication=False))
    (host.box.root / "etc/ssh/sshd_config.d/10-cloud.conf").unlink()

    assert host.read(DROP_IN) == before
    assert host.state()["ssh"]["password_authentication"] is True
    assert server.lets_in("root")


def test_a_broken_configuration_is_said_and_left_as_it_was(host: HostInBox, server: Server) -> None:
    host.ask(AddKey("root", server.key))
    host.box.put("/etc/ssh/sshd_config.d/60-broken.conf", "NoSuchOption yes\n")
    with pytest.raises(Failed, match="Bad configuration option: NoSuchOption"):
        host.ask(SetSsh(password_authentication=False))
    with pytest.raises(Failed, match="NoSuchOption"):
        host.ask(ReadSsh())
    (host.box.root / "etc/ssh/sshd_config.d/60-broken.conf").unlink()

    assert host.read(DROP_IN) is None
    assert server.lets_in("root")


# --- All together --------------------------------------------------------------------------------------------------


def test_what_was_set_is_brought_about_again_whatever_fails_beside_it(host: HostInBox, server: Server) -> None:
    zone = host.ask(ReadTimezone())
    host.ask(SetTimezone("Asia/Tokyo"))
    host.ask(AddUser("eve", HASH))
    host.ask(AddKey("eve", server.key))
    host.ask(AddKey("root", server.key))
    host.ask(SetSsh(password_authentication=False))
    host.ask(SwitchService("gitea", on=True))
    settled = host.perform("apply")
    # Everything is undone behind our back, and one thing cannot be brought back.
    host.box.run("sh", "-c", "ln -sf ../usr/share/zoneinfo/UTC /etc/localtime; rm /root/.ssh/authorized_keys")
    host.box.run("systemctl", "disable", "--now", "--quiet", "toy-gitea.service")
    host.box.run("rm", DROP_IN)
    host.box.run("userdel", "--remove", "eve")
    host.box.put("/home/eve/left", "somebody's")
    would = host.perform("apply", dry_run=True)
    untouched = host.is_active("toy-gitea.service"), host.read(DROP_IN)
    with pytest.raises(Failed, match="the account eve: There is a home of this name") as failed:
        host.perform("apply")
    now = host.ask(ReadTimezone()), host.ask(ReadKeys("root")), host.ask(ReadSsh()), host.is_active("toy-gitea.service")
    host.box.run("rm", "-r", "/home/eve")
    last = host.perform("apply")
    keys = host.ask(ReadKeys("eve"))
    shadow = host.box.run("getent", "shadow", "eve").split(":")[1]
    host.ask(DeleteUser("eve"))
    host.ask(RemoveKey("root", server.key))
    host.ask(SwitchService("gitea", on=False))
    host.ask(SetTimezone(zone if zone != "Etc/UTC" else "UTC"))

    assert settled.messages[-1] == "0 of 8 settings were put right"
    assert untouched == ("inactive", None)
    assert "gitea: would be put right" in would.lines
    assert str(failed.value).count("; ") == 1, "the account, and its keys"
    assert now == ("Asia/Tokyo", [server.key], SshSettings(enable=True, password_authentication=False), "active")
    assert last.messages[-1] == "2 of 8 settings were put right"
    assert last.fractions[-1] == 1
    assert keys == [server.key]
    assert shadow == HASH


def test_an_ordinary_account_reads_what_the_host_lets_it_and_changes_nothing(host: HostInBox, server: Server) -> None:
    host.ask(AddKey("chief", server.key))
    state = host.read("/var/lib/manor-host/state.json")
    with host_in(host.box, account="manor") as daemon:
        allowed: list[Verb[Any]] = [ReadServices(), ReadTimezone(), ReadAutoUpgrade(), ReadDkim()]
        for verb in allowed:
            assert daemon.ask(verb) == host.ask(verb)
        refused: list[Verb[Any]] = [
            ReadUsers(),
            ReadSsh(),
            ReadKeys("root"),
            ReadKeys("chief"),
            ReadJournal("gitea"),
            AddUser("eve", HASH),
            AddKey("chief", server.key),
            SetSsh(enable=True),
            SetTimezone("UTC"),
            SetAutoUpgrade(enable=False),
            SwitchService("gitea", on=True),
        ]
        for verb in refused:
            with pytest.raises(NotHere):
                daemon.ask(verb)

    assert host.read("/var/lib/manor-host/state.json") == state
    assert host.is_active("toy-gitea.service") == "inactive"
