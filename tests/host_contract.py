"""What the SelfPrivacy API answers on every kind of host: the same checks for each.

A check begins with a host as it finds it and leaves it as it was: a booted machine is shared by all of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from tests.host_keys import bad_keys, new_key, new_rsa_key

Said = tuple[int, Any]


class Ask(Protocol):
    """Asks as a device that is in, and gives status and decoded body."""

    async def __call__(self, method: str, path: str, body: Any = None) -> Said: ...


@dataclass(frozen=True)
class HostApi:
    """A host, through its API.

    Args:
        ask: Asks it.
        installed: Services that are there.
        absent: Services that are not.
        primary: The primary account.
    """

    ask: Ask
    installed: tuple[str, ...] = ("bitwarden", "gitea", "nextcloud", "ocserv", "pleroma")
    absent: tuple[str, ...] = ()
    primary: str = "admin"


Check = Callable[[HostApi], Awaitable[None]]
CHECKS: dict[str, Check] = {}

LABELS = {
    "bitwarden": "Bitwarden",
    "gitea": "Gitea",
    "nextcloud": "Nextcloud",
    "ocserv": "OpenConnect VPN server",
    "pleroma": "Pleroma",
}
RESERVED = (
    "root messagebus postfix polkituser dovecot2 dovenull nginx postgres prosody opendkim rspamd sshd selfprivacy-api "
    "restic redis pleroma ocserv nextcloud memcached knot-resolver gitea bitwarden_rs vaultwarden acme virtualMail "
    "nobody systemd systemd-network systemd-resolve systemd-timesync nixbld nixbld1 nixbld2 nixbld29"
)
WRITTEN = "New SSH key successfully written"
BAD_TYPE = "Invalid key type. Only ssh-ed25519 and ssh-rsa are supported."


def check(function: Check) -> Check:
    """Have it run on every host."""
    CHECKS[function.__name__] = function
    return function


def is_told(said: Said, status: int) -> bool:
    """Whether it is a refusal with a reason."""
    answered, body = said
    return answered == status and isinstance(body, dict) and bool(body.get("error") or body.get("message"))


# --- Services ------------------------------------------------------------------------------------------------------


@check
async def services_go_on_and_off_and_say_so(api: HostApi) -> None:
    for key in api.installed:
        for turn, expected in (("enable", 0), ("enable", 0), ("disable", 3), ("disable", 3)):
            said = await api.ask("POST", f"/services/{key}/{turn}")
            assert said == (200, {"status": 0, "message": f"{LABELS[key]} {turn}d"})
            status, states = await api.ask("GET", "/services/status")
            assert (status, states[key]) == (200, expected)


@check
async def services_that_are_not_installed_cannot_be_switched(api: HostApi) -> None:
    status, states = await api.ask("GET", "/services/status")
    assert status == 200
    assert set(states) == {"imap", "smtp", "http", *LABELS}
    assert all(type(state) is int for state in states.values())
    for key in api.absent:
        assert states[key] == 4
        assert is_told(await api.ask("POST", f"/services/{key}/enable"), 404)
        assert is_told(await api.ask("POST", f"/services/{key}/disable"), 404)


@check
async def unknown_services_and_wrong_methods_are_refused(api: HostApi) -> None:
    for key in ("nonesuch", "imap", "smtp", "http"):
        assert is_told(await api.ask("POST", f"/services/{key}/enable"), 404)
    assert is_told(await api.ask("POST", "/services/..%2fgitea/enable"), 404)
    assert is_told(await api.ask("POST", "/services/gitea.service/enable"), 404)
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        assert is_told(await api.ask(method, "/services/gitea/enable"), 405)
    assert is_told(await api.ask("POST", "/services/status"), 405)
    assert is_told(await api.ask("GET", "/services/nonesuch"), 404)


# --- The system ----------------------------------------------------------------------------------------------------


@check
async def time_zones_are_those_of_the_tz_database(api: HostApi) -> None:
    zone = "/system/configuration/timezone"
    status, before = await api.ask("GET", zone)
    assert status == 200
    for wanted in ("Europe/Berlin", "UTC", "America/Argentina/Buenos_Aires"):
        assert await api.ask("PUT", zone, {"timezone": wanted}) == (200, "Timezone changed")
        assert await api.ask("GET", zone) == (200, wanted)
    for wrong in ("", "europe/berlin", "Europe/Atlantis", "../../etc/passwd", "Europe/Berlin\n", "/Europe/Berlin", "."):
        assert await api.ask("PUT", zone, {"timezone": wrong}) == (400, {"error": "Invalid timezone"})
    status, body = await api.ask("PUT", zone, {})
    assert status == 400
    assert "timezone" in body["message"]
    for broken in (b"", b"{", b"[1]", {"timezone": 1}, {"timezone": None}):
        assert is_told(await api.ask("PUT", zone, broken), 400)
    assert await api.ask("GET", zone) == (200, "America/Argentina/Buenos_Aires")
    await api.ask("PUT", zone, {"timezone": before})


@check
async def upgrades_by_itself_are_set_each_on_its_own(api: HostApi) -> None:
    path, done = "/system/configuration/autoUpgrade", (200, "Auto-upgrade settings changed")
    _, before = await api.ask("GET", path)
    assert await api.ask("PUT", path, {"enable": False, "allowReboot": True}) == done
    assert await api.ask("GET", path) == (200, {"enable": False, "allowReboot": True})
    assert await api.ask("PUT", path, {"enable": True}) == done
    assert await api.ask("GET", path) == (200, {"enable": True, "allowReboot": True})
    assert await api.ask("PUT", path, {"allowReboot": False}) == done
    for nothing in ({}, {"enable": None}, {"enable": None, "allowReboot": None}):
        assert await api.ask("PUT", path, nothing) == done
    assert await api.ask("GET", path) == (200, {"enable": True, "allowReboot": False})
    bodies: tuple[Any, ...] = ({"enable": "false"}, {"enable": 0}, {"allowReboot": []}, b"[1]", b"nonsense")
    for wrong in bodies:
        assert is_told(await api.ask("PUT", path, wrong), 400)
    assert await api.ask("GET", path) == (200, {"enable": True, "allowReboot": False})
    await api.ask("PUT", path, before)


@check
async def what_runs_here_is_told(api: HostApi) -> None:
    assert await api.ask("GET", "/api/version") == (200, {"version": "1.2.0"})
    status, python = await api.ask("GET", "/system/pythonVersion")
    assert status == 200
    assert python.startswith("Python 3.")
    status, system = await api.ask("GET", "/system/version")
    assert status == 200
    assert system["system_version"].startswith("Linux ")
    assert is_told(await api.ask("GET", "/system/nonesuch"), 404)
    assert is_told(await api.ask("POST", "/system/version"), 405)


# --- Accounts ------------------------------------------------------------------------------------------------------


@check
async def accounts_are_made_listed_and_removed(api: HostApi) -> None:
    assert await api.ask("POST", "/users", {"username": "eve_1", "password": "-rf $(id) 'x"}) == (
        201,
        {"result": 0, "username": "eve_1"},
    )
    assert await api.ask("POST", "/users", {"username": "eve_1", "password": "x"}) == (
        409,
        {"error": "User already exists"},
    )
    longest = "a" * 31
    assert (await api.ask("POST", "/users", {"username": longest, "password": "pässwörd 💡"}))[0] == 201
    status, names = await api.ask("GET", "/users")
    assert status == 200
    assert names[-2:] == ["eve_1", longest]
    assert "root" not in names
    assert api.primary not in names
    for name in ("eve_1", longest):
        assert await api.ask("DELETE", f"/users/{name}") == (200, {"result": 0, "username": name})
        assert await api.ask("DELETE", f"/users/{name}") == (404, {"error": "User does not exist"})
    for asked in ("/users", "/users?withMainUser=true"):  # which later versions of the API heed
        assert await api.ask("GET", asked) == (200, names[:-2])


@check
async def names_of_the_system_are_forbidden(api: HostApi) -> None:
    _, before = await api.ask("GET", "/users")
    for name in (*RESERVED.split(), "systemd-Any.thing" + "a" * 32):
        said = await api.ask("POST", "/users", {"username": name, "password": "x"})
        assert said == (409, {"message": "Username is forbidden"}), name
    assert (await api.ask("POST", "/users", {"username": api.primary, "password": "x"}))[0] == 409
    assert await api.ask("GET", "/users") == (200, before)


@check
async def names_of_another_form_are_refused(api: HostApi) -> None:
    _, before = await api.ask("GET", "/users")
    for name in (
        "",
        "1",
        "a",
        "ёж",
        "user1@",
        "Eve",
        "e.ve",
        "e-ve",
        "-x",
        "eve\n",
        "eve eve",
        "1eve",
        "eve:0",
        "../eve",
    ):
        said = await api.ask("POST", "/users", {"username": name, "password": "x"})
        assert said == (400, {"error": "username must be alphanumeric"}), name
    assert (await api.ask("POST", "/users", {"username": "É" * 32, "password": "x"}))[1] == said[1]
    for name in ("a" * 32, "a" * 10_000):
        said = await api.ask("POST", "/users", {"username": name, "password": "x"})
        assert said == (400, {"error": "username must be less than 32 characters"})
    assert await api.ask("GET", "/users") == (200, before)


@check
async def accounts_need_a_name_and_a_password(api: HostApi) -> None:
    for body, missing in (
        ({}, {"username", "password"}),
        ({"username": "eve_1"}, {"password"}),
        ({"username": "root"}, {"password"}),
        ({"password": "x"}, {"username"}),
    ):
        status, said = await api.ask("POST", "/users", body)
        assert status == 400
        assert said["message"]
        assert set(said["message"]) <= missing
    for password in ("", "two\nlines", "x" * 2000, "a\x00b"):
        assert is_told(await api.ask("POST", "/users", {"username": "eve_1", "password": password}), 400)
    for broken in (b"", b"{", b"[1]", b'"x"', {"username": 1, "password": "x"}, {"username": "eve_1", "password": 1}):
        assert is_told(await api.ask("POST", "/users", broken), 400)


@check
async def nobody_removes_what_was_not_made_from_here(api: HostApi) -> None:
    assert await api.ask("DELETE", f"/users/{api.primary}") == (400, {"error": "Cannot delete root user"})
    for name in ("root", "nobody", "daemon", "manor", "nonesuch", "..", "%2e%2e%2fetc", "a" * 5000, "-r"):
        assert await api.ask("DELETE", f"/users/{name}") in ((404, {"error": "User does not exist"}), (404, _ANY)), name
    assert is_told(await api.ask("DELETE", "/users/"), 404)
    assert is_told(await api.ask("DELETE", "/users"), 405)


class _Any:
    def __eq__(self, other: object) -> bool:
        return isinstance(other, dict)

    __hash__ = None  # type: ignore[assignment]  # stands for every body


_ANY = _Any()


# --- SSH -----------------------------------------------------------------------------------------------------------


@check
async def the_ssh_server_is_set_each_on_its_own(api: HostApi) -> None:
    path, done = "/services/ssh", (200, "SSH settings changed")
    key = new_key()
    assert (await api.ask("PUT", "/services/ssh/key/send", {"public_key": key}))[0] == 201
    await api.ask("PUT", path, {"enable": True, "passwordAuthentication": True})
    for change, expected in (
        ({}, (True, True)),
        ({"enable": None, "passwordAuthentication": None}, (True, True)),
        ({"passwordAuthentication": False}, (True, False)),
        ({"enable": False}, (False, False)),
        ({"passwordAuthentication": True}, (False, True)),
        ({"enable": False, "passwordAuthentication": False}, (False, False)),
        ({"enable": True, "passwordAuthentication": True}, (True, True)),
    ):
        assert await api.ask("PUT", path, change) == done
        enable, passwords = expected
        assert await api.ask("GET", path) == (200, {"enable": enable, "passwordAuthentication": passwords})
    await api.ask("PUT", path, {"enable": False})
    assert await api.ask("POST", "/services/ssh/enable") == (200, {"status": 0, "message": "SSH enabled"})
    for wrong in ({"enable": "false"}, {"passwordAuthentication": 1}, b"[]", b"no"):
        assert is_told(await api.ask("PUT", path, wrong), 400)
    assert await api.ask("GET", path) == (200, {"enable": True, "passwordAuthentication": True})
    assert (await api.ask("DELETE", "/services/ssh/keys/root", {"public_key": key}))[0] == 200


@check
async def passwords_stay_while_there_is_no_key(api: HostApi) -> None:
    for user in ("root", api.primary):
        assert await api.ask("GET", f"/services/ssh/keys/{user}") == (200, [])
    refused = await api.ask("PUT", "/services/ssh", {"passwordAuthentication": False})
    assert is_told(refused, 409)
    _, settings = await api.ask("GET", "/services/ssh")
    assert settings["passwordAuthentication"] is True


@check
async def keys_of_root_the_primary_account_and_others(api: HostApi) -> None:
    assert (await api.ask("POST", "/users", {"username": "eve_1", "password": "x"}))[0] == 201
    for user in ("root", api.primary, "eve_1"):
        path = f"/services/ssh/keys/{user}"
        first, second = new_key("first"), new_rsa_key()
        for key in (first, second):
            assert await _add(api, user, key) == (201, _written(user))
            again = f"{key.rsplit(' ', 1)[0] if key is first else key} another comment"
            assert await _add(api, user, key) == (409, {"error": "Key already exists"})
            assert await _add(api, user, again) == (409, {"error": "Key already exists"})
        assert await api.ask("GET", path) == (200, [first, second])
        for absent in (new_key(), "x" * 9000, "x" * 70_000):
            assert await api.ask("DELETE", path, {"public_key": absent}) == (404, {"error": "Key not found"})
        gone = "SSH key successfully deleted" if user == "eve_1" else "SSH key deleted"
        assert await api.ask("DELETE", path, {"public_key": first}) == (200, {"message": gone})
        assert await api.ask("GET", path) == (200, [second])
        assert await api.ask("DELETE", path, {"public_key": second}) == (200, {"message": gone})
        assert await api.ask("GET", path) == (200, [])
        status, said = await api.ask("DELETE", path, {})
        assert status == 400
        assert "public_key" in said["message"]
    assert (await api.ask("DELETE", "/users/eve_1"))[0] == 200
    assert await api.ask("GET", "/services/ssh/keys/eve_1") == (404, {"error": "User not found"})


@check
async def keys_that_are_none_let_nobody_in(api: HostApi) -> None:
    for what, key in bad_keys().items():
        for user in ("root", api.primary, "nonesuch"):
            said = await _add(api, user, key)
            assert is_told(said, 400), what
    assert await _add(api, "root", "ecdsa-sha2-nistp256 AAAA") == (400, {"error": BAD_TYPE})
    for user in ("root", api.primary):
        assert await api.ask("GET", f"/services/ssh/keys/{user}") == (200, [])
    for broken in (b"", b"{", b"[1]", {"public_key": None}, {"public_key": 1}, {}):
        assert is_told(await api.ask("PUT", "/services/ssh/key/send", broken), 400)
        assert is_told(await api.ask("POST", f"/services/ssh/keys/{api.primary}", broken), 400)


@check
async def keys_of_nobody_are_not_found(api: HostApi) -> None:
    key = new_key()
    wrong_place = await api.ask("POST", "/services/ssh/keys/root", {"public_key": key})
    assert wrong_place == (400, {"error": "Use /ssh/key/send to add root keys"})
    for user in ("nonesuch", "daemon", "nobody", "a" * 3000):
        path = f"/services/ssh/keys/{user}"
        assert await api.ask("GET", path) == (404, {"error": "User not found"})
        assert await api.ask("POST", path, {"public_key": key}) == (404, {"error": "User not found"})
        assert await api.ask("DELETE", path, {"public_key": key}) == (404, {"error": "User not found"})


# --- Backups -------------------------------------------------------------------------------------------------------


@check
async def backups_wait_for_credentials(api: HostApi) -> None:
    restic = "/services/restic"
    status = (200, {"status": "NO_KEY", "progress": 0, "error_message": None})
    assert await api.ask("GET", f"{restic}/backup/status") == status
    assert await api.ask("GET", f"{restic}/backup/list") == (200, [])
    no_key = (400, {"error": "No key provided"})
    assert await api.ask("PUT", f"{restic}/backup/create") == no_key
    assert await api.ask("PUT", f"{restic}/backup/restore", {"backupId": "0a1b2c3d"}) == no_key
    said, missing = await api.ask("PUT", f"{restic}/backup/restore", {})
    assert said == 400
    assert "backupId" in missing["message"]
    given = {"accountId": "a", "accountKey": "b", "bucket": "c"}
    for wrong in ({}, {**given, "bucket": ".."}, {**given, "accountKey": ""}, b"[1]", b"nonsense"):
        assert is_told(await api.ask("PUT", f"{restic}/backblaze/config", wrong), 400)
    for method, path in (
        ("POST", "backup/status"),
        ("PUT", "backup/list"),
        ("PUT", "backup/reload"),
        ("POST", "backup/create"),
        ("GET", "backup/create"),
        ("GET", "backup/restore"),
        ("GET", "backblaze/config"),
    ):
        assert is_told(await api.ask(method, f"{restic}/{path}"), 405)
    assert is_told(await api.ask("GET", f"{restic}/nonesuch"), 404)
    assert await api.ask("GET", f"{restic}/backup/status") == status


async def _add(api: HostApi, user: str, key: str) -> Said:
    if user == "root":
        return await api.ask("PUT", "/services/ssh/key/send", {"public_key": key})
    return await api.ask("POST", f"/services/ssh/keys/{user}", {"public_key": key})


def _written(user: str) -> dict[str, Any]:
    return {"status": 0, "message": WRITTEN} if user == "root" else {"message": WRITTEN}
