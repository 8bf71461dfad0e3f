"""A real host's SSH server, managed by the back end for systemd and tried with `ssh`; and putting all right again."""

from __future__ import annotations

from typing import Any

import pytest

from manor_hostservices.refusals import Conflicting, Failed, NotHere
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
from tests.box.host import DROP_IN, HASH, HostInBox, Server, host_in

pytestmark = pytest.mark.box


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
