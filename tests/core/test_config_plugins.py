"""Plugins' tables, the managed file, and what a reload makes of a change."""

from __future__ import annotations

import fcntl
import os
import threading
import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest

from manor.config import (
    Loaded,
    Secret,
    change_managed,
    decode_plugin,
    differences,
    load,
    plugin_enabled,
    settings,
    unknown_plugins,
)
from manor.errors import AdminFault


class Provider(msgspec.Struct, frozen=True):
    issuer: str
    client_secret: Secret = ""


class Rule(msgspec.Struct, frozen=True):
    event: str
    times: int = 1


def _even(value: int) -> None:
    if value % 2:
        raise ValueError(f"expected an even number, got {value}")


class BellConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rings: Annotated[int, msgspec.Meta(ge=0, extra={"check": _even})] = 2
    volume: Annotated[float, msgspec.Meta(extra={"live": True})] = 0.5
    folder: Path = Path("bells")
    sounds: tuple[str, ...] = ()
    labels: dict[str, int] = {}
    oidc: dict[str, Provider] = {}
    rules: list[Rule] = []
    code: Secret = ""
    first: int = 0
    last: int = 9

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise ValueError("expected first before last")


def loaded(folder: Path, text: str = "", environ: dict[str, str] | None = None) -> Loaded:
    (folder / "config.toml").write_text(text)
    return load(None, environ or {}, folder)


def decoded(folder: Path, text: str = "", environ: dict[str, str] | None = None) -> BellConfig:
    return decode_plugin(loaded(folder, text, environ), "bell", BellConfig)


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(AdminFault) as caught:
        decoded(folder, text)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def test_a_plugin_without_a_table_has_its_defaults_with_paths_made_absolute(tmp_path: Path) -> None:
    assert decoded(tmp_path) == BellConfig(folder=tmp_path / "bells")


def test_a_plugins_table_is_decoded_with_what_is_nested_in_it(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    (tmp_path / "secret").chmod(0o600)
    config = decoded(
        tmp_path,
        """
        [plugins.bell]
        enabled = true
        rings = 4
        volume = 1
        sounds = ["ding"]
        labels = {"front door" = 1}
        oidc.home = {issuer = "https://id.example.org", client_secret_file = "secret"}
        rules = [{event = "rang"}, {event = "gone", times = 2}]
        """,
    )

    assert (config.rings, config.volume, config.sounds, config.labels) == (4, 1.0, ("ding",), {"front door": 1})
    assert config.oidc == {"home": Provider("https://id.example.org", "s3cret")}
    assert config.rules == [Rule("rang"), Rule("gone", 2)]


def test_variables_reach_into_a_plugins_table(tmp_path: Path) -> None:
    config = decoded(
        tmp_path,
        "",
        {
            "MANOR_PLUGINS__BELL__RINGS": "8",
            "MANOR_PLUGINS__BELL__SOUNDS": "ding,dong",
            "MANOR_PLUGINS__BELL__LABELS__DOOR": "3",
            "MANOR_PLUGINS__BELL__OIDC__HOME__ISSUER": "https://id.example.org",
            "MANOR_PLUGINS__BELL__OIDC__HOME__CLIENT_SECRET": "s3cret",
            "MANOR_PLUGINS__BELL__RULES": '[{event = "rang"}]',
        },
    )

    assert (config.rings, config.sounds, config.labels) == (8, ("ding", "dong"), {"door": 3})
    assert config.oidc == {"home": Provider("https://id.example.org", "s3cret")}
    assert config.rules == [Rule("rang")]


def test_every_problem_of_a_plugins_table_is_told(tmp_path: Path) -> None:
    text = """
        [plugins.bell]
        ring = 1
        rings = 3
        volume = "loud"
        sounds = ["ding", 4]
        labels = {"front door" = "x", "10.0.0.1" = "y"}
        oidc.home = {isuer = "x"}
        rules = [{event = "rang", times = "x"}, 5]
        code = "1234"
    """

    assert problems(tmp_path, text) == [
        "config.toml: plugins.bell.rings: expected an even number, got 3",
        "config.toml: plugins.bell.volume: expected float, got str",
        "config.toml: plugins.bell.sounds[1]: expected str, got int",
        'config.toml: plugins.bell.labels."front door": expected int, got str',
        'config.toml: plugins.bell.labels."10.0.0.1": expected int, got str',
        "config.toml: plugins.bell.oidc.home: issuer is missing",
        "config.toml: plugins.bell.oidc.home.isuer: unknown key; did you mean 'issuer'?",
        "config.toml: plugins.bell.rules[0].times: expected int, got str",
        "config.toml: plugins.bell.rules[1]: expected a table, got int",
        "config.toml: plugins.bell.code: a secret does not stand here: use code_file or the variable "
        "MANOR_PLUGINS__BELL__CODE",
        "config.toml: plugins.bell.ring: unknown key; did you mean 'rings'?",
    ]


def test_a_struct_may_say_what_does_not_fit_together(tmp_path: Path) -> None:
    text = "[plugins.bell]\nfirst = 3\nlast = 2\n"

    assert problems(tmp_path, text) == ["config.toml: plugins.bell: expected first before last"]


def test_a_plugin_is_on_when_the_admin_or_else_the_plugin_says_so(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        "[plugins.bell]\nenabled = false\n[plugins.chat]\n",
        {"MANOR_PLUGINS__STREAM__ENABLED": "true", "MANOR_PLUGINS__POST__ENABLED": "false"},
    )

    assert not plugin_enabled(found, "bell", True)
    assert plugin_enabled(found, "chat", True)
    assert not plugin_enabled(found, "chat", False)
    assert plugin_enabled(found, "stream", False)
    assert not plugin_enabled(found, "post", True)
    assert plugin_enabled(found, "unheard-of", True)


def test_a_table_for_a_plugin_that_is_not_installed_is_a_problem(tmp_path: Path) -> None:
    found = loaded(tmp_path, "[plugins.topic]\nx = 1\n[plugins.chat]\n")

    assert [str(problem).replace(f"{tmp_path}/", "") for problem in unknown_plugins(found, ["topics", "chat"])] == [
        "config.toml: plugins.topic: no plugin 'topic' is installed; did you mean 'topics'?; installed are chat, topics"
    ]


# --- Showing -------------------------------------------------------------------------------------------------------


def test_settings_name_each_value_and_its_source_and_blank_secrets(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        "[server]\nuser = 'me'\n[tiers.FREE]\nx = 1\n[plugins.bell]\nrings = 4\n[plugins.gone]\npassword = 'hunter22'",
        {"MANOR_SERVER__SMTP__PASSWORD": "hunter22", "MANOR_PLUGINS__BELL__VOLUME": "1"},
    )
    file = str(tmp_path / "config.toml")

    shown = {row.key: row for row in settings(found, {"bell": BellConfig})}

    assert (shown["server.user"].value, shown["server.user"].source) == ("me", file)
    assert (shown["server.bind"].value, shown["server.bind"].source) == (["127.0.0.1:8080"], "default")
    assert shown["server.data_dir"].value == str(tmp_path / "data")
    assert shown["server.smtp.password"].is_secret
    assert shown["server.smtp.password"].source == "environment MANOR_SERVER__SMTP__PASSWORD"
    assert (shown["tiers.FREE.x"].value, shown["tiers.FREE.x"].source) == (1, file)
    assert (shown["plugins.bell.rings"].value, shown["plugins.bell.last"].value) == (4, 9)
    assert shown["plugins.bell.volume"].value == 1.0
    assert shown["plugins.bell.code_file"].value == ""
    assert shown["plugins.gone.password"].is_secret
    assert "hunter22" not in repr(shown)
    assert "hunter22" not in str(msgspec.json.encode([row.value for row in shown.values()]))


class Doors(msgspec.Struct, frozen=True):
    front: Provider | None = None
    others: tuple[Provider, ...] = ()


def test_a_secret_is_shown_neither_in_a_table_that_may_be_missing_nor_in_an_array(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    (tmp_path / "secret").chmod(0o600)
    door = '{issuer = "https://id", client_secret_file = "secret"}'
    found = loaded(tmp_path, f"[plugins.doors]\nfront = {door}\nothers = [{door}]")

    shown = {row.key: row.value for row in settings(found, {"doors": Doors})}
    assert shown["plugins.doors.front"] == {"issuer": "https://id", "client_secret": None}
    assert shown["plugins.doors.others"] == [{"issuer": "https://id", "client_secret": None}]


# --- The managed file ----------------------------------------------------------------------------------------------


def test_a_change_keeps_the_other_keys_and_is_read_the_next_time(tmp_path: Path) -> None:
    found = loaded(tmp_path, "[plugins.bell]\nenabled = false\n")

    change_managed(found, {"plugins.bell.enabled": True, "plugins.bell.rings": 6})
    written = change_managed(found, {"plugins.chat.enabled": True, "plugins.bell.rings": None})

    assert written == tmp_path / "conf.d" / "90-managed.toml"
    assert tomllib.loads(written.read_text()) == {"plugins": {"bell": {"enabled": True}, "chat": {"enabled": True}}}
    assert [path.name for path in written.parent.iterdir()] == ["90-managed.toml"]
    assert written.stat().st_mode & 0o777 == 0o644
    again = load(None, {}, tmp_path)
    assert plugin_enabled(again, "bell", False)
    assert again.source_of("plugins.bell.enabled") == str(written)


def test_a_managed_file_that_is_broken_is_told_and_left_alone(tmp_path: Path) -> None:
    found = loaded(tmp_path)
    (tmp_path / "conf.d").mkdir()
    found.managed_path.write_text("[plugins\n")

    with pytest.raises(AdminFault, match=r"90-managed\.toml: line 1, column 9"):
        change_managed(found, {"plugins.bell.enabled": True})

    assert found.managed_path.read_text() == "[plugins\n"


def test_a_second_writer_waits_for_the_first(tmp_path: Path) -> None:
    found = loaded(tmp_path)
    (tmp_path / "conf.d").mkdir()
    first = os.open(tmp_path / "conf.d", os.O_RDONLY)
    fcntl.flock(first, fcntl.LOCK_EX)
    second = threading.Thread(target=change_managed, args=(found, {"plugins.bell.enabled": True}))
    second.start()

    second.join(0.05)
    waited = second.is_alive() and not found.managed_path.exists()
    found.managed_path.write_text("[plugins.chat]\nenabled = true\n")
    os.close(first)
    second.join()

    assert waited
    assert tomllib.loads(found.managed_path.read_text())["plugins"] == {
        "bell": {"enabled": True},
        "chat": {"enabled": True},
    }


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    found = loaded(tmp_path)
    (tmp_path / "conf.d").write_text("not a folder")

    with pytest.raises(AdminFault, match=r"90-managed\.toml: cannot be written: File exists"):
        change_managed(found, {"plugins.bell.enabled": True})


# --- Reloading -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "live", "restart"),
    [
        ("", "server.log_level = 'info'", [], []),
        ("", "server.log_level = 'debug'", ["server.log_level"], []),
        ("", "server.limits.connections = 5", ["server.limits.connections"], []),
        ("", "server.smtp.port = 587", ["server.smtp.port"], []),
        ("", "server.outgoing.allow = ['10.0.0.0/8']", [], ["server.outgoing.allow"]),
        ("", "server.data_dir = 'other'", [], ["server.data_dir"]),
        ("", "identity.registration = 'closed'", [], ["identity.registration"]),
        ("tiers.FREE.x = 1", "tiers.FREE.y = 2", ["tiers.FREE.x", "tiers.FREE.y"], []),
        ("", "plugins.bell.volume = 1", ["plugins.bell.volume"], []),
        ("", "plugins.bell.rings = 2", [], []),
        ("plugins.bell.rings = 4", "", [], ["plugins.bell.rings"]),
        ("", "plugins.bell.enabled = true", [], ["plugins.bell.enabled"]),
        ("plugins.other.x = 1", "plugins.other.x = 2", [], ["plugins.other.x"]),
    ],
)
def test_a_reload_tells_what_it_applies_and_what_needs_a_restart(
    tmp_path: Path, before: str, after: str, live: list[str], restart: list[str]
) -> None:
    old, new = loaded(tmp_path, before), loaded(tmp_path, after)

    assert differences(old, new, {"bell": BellConfig}) == (live, restart)


def test_a_reload_sees_that_a_secrets_file_has_new_content(tmp_path: Path) -> None:
    def with_secret(content: str) -> Any:
        (tmp_path / "secret").write_text(content)
        return loaded(tmp_path, "server.smtp.password_file = 'secret'")

    assert differences(with_secret("old"), with_secret("new")) == (["server.smtp.password"], [])
