"""Files, drop-ins and variables become one configuration; everything that is wrong is told at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from manor.config import Loaded, load, tier_limits
from manor.config.loading import MANAGED_NAME
from manor.errors import AdminFault
from manor.plugins import TierLimit


def loaded(folder: Path, environ: Mapping[str, str] | None = None, **files: str) -> Loaded:
    """Load what is written in `folder`; `config="…"` is config.toml, other names are drop-ins."""
    for name, text in files.items():
        path = folder / "config.toml" if name == "config" else folder / "conf.d" / f"{name}.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return load(None, environ or {}, folder, system_file=folder / "system.toml")


def problems(folder: Path, environ: Mapping[str, str] | None = None, **files: str) -> list[str]:
    with pytest.raises(AdminFault) as caught:
        loaded(folder, environ, **files)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


# --- Where it comes from -------------------------------------------------------------------------------------------


def test_without_any_file_the_server_listens_on_loopback_with_its_data_below_the_current_folder(tmp_path: Path) -> None:
    found = loaded(tmp_path)

    assert found.path is None
    assert found.config.server.bind == ("127.0.0.1:8080",)
    assert found.data_dir == tmp_path / "data"


def test_the_current_folders_file_goes_before_the_systems(tmp_path: Path) -> None:
    (tmp_path / "system.toml").write_text('server.user = "system"')
    assert loaded(tmp_path).config.server.user == "system"

    found = loaded(tmp_path, config='server.user = "mine"')

    assert found.path == tmp_path / "config.toml"
    assert found.config.server.user == "mine"


def test_a_file_that_is_named_and_missing_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(AdminFault, match=r"nowhere\.toml: cannot be read: No such file or directory"):
        load(tmp_path / "nowhere.toml", {}, tmp_path)


def test_drop_ins_go_over_the_file_by_name_and_variables_over_all(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        {"MANOR_SERVER__LIMITS__CONNECTIONS": "4"},
        config="[server]\nuser = 'file'\nlog_level = 'error'\n[server.limits]\nconnections = 1\n",
        b20="[server]\nuser = 'second'\n[server.limits]\nconnections = 3\n",
        a10="[server]\nuser = 'first'\n[server.limits]\nconnections = 2\nconnections_per_address = 2\n",
    )

    assert found.config.server.user == "second"
    assert found.config.server.log_level == "error"
    assert (found.config.server.limits.connections, found.config.server.limits.connections_per_address) == (4, 2)
    assert found.source_of("server.user") == str(tmp_path / "conf.d" / "b20.toml")
    assert found.source_of("server.log_level") == str(tmp_path / "config.toml")
    assert found.source_of("server.limits.connections") == "environment MANOR_SERVER__LIMITS__CONNECTIONS"
    assert found.source_of("server.bind") == "default"
    assert [path.name for path in found.files] == ["config.toml", "a10.toml", "b20.toml"]


def test_an_array_is_replaced_whole(tmp_path: Path) -> None:
    found = loaded(tmp_path, config="server.bind = ['[::1]:1', '[::1]:2']", later="server.bind = ['[::1]:3']")

    assert found.config.server.bind == ("[::1]:3",)


@pytest.mark.parametrize("environ", [{}, {"MANOR_SERVER__DATA_DIR": "elsewhere"}])
def test_without_a_config_file_drop_ins_are_in_the_data_directory(tmp_path: Path, environ: dict[str, str]) -> None:
    folder = tmp_path / environ.get("MANOR_SERVER__DATA_DIR", "data") / "conf.d"
    folder.mkdir(parents=True)
    (folder / "10.toml").write_text("server.user = 'me'")

    found = loaded(tmp_path, environ)

    assert found.config.server.user == "me"
    assert found.managed_path == folder / MANAGED_NAME


def test_only_toml_files_that_are_not_hidden_are_drop_ins(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    for name in (".90-managed.toml", "notes.txt", "20.toml.bak"):
        (tmp_path / "conf.d" / name).write_text("= broken")

    assert loaded(tmp_path, config="").files == (tmp_path / "config.toml",)


@pytest.mark.parametrize(
    ("name", "value", "key", "expected"),
    [
        ("MANOR_SERVER__BIND", "127.0.0.1:1, [::1]:2", "bind", ("127.0.0.1:1", "[::1]:2")),
        ("MANOR_SERVER__BIND", '["127.0.0.1:1"]', "bind", ("127.0.0.1:1",)),
        ("MANOR_SERVER__CORS_ORIGINS", "", "cors_origins", ()),
        ("MANOR_SERVER__PIN_CPU", "false", "pin_cpu", False),
        ("MANOR_SERVER__USER", "1000", "user", "1000"),
        ("MANOR_SERVER__USER", "true", "user", "true"),
        ("MANOR_SERVER__USER", '"quoted"', "user", '"quoted"'),
        ("MANOR_SERVER__TLS_CERT", "", "tls_cert", None),
    ],
)
def test_a_variables_text_is_read_as_its_key_wants_it(
    tmp_path: Path, name: str, value: str, key: str, expected: object
) -> None:
    assert getattr(loaded(tmp_path, {name: value}).config.server, key) == expected


def test_a_variable_may_set_a_tiers_limit_and_a_plugins_key(tmp_path: Path) -> None:
    found = loaded(tmp_path, {"MANOR_TIERS__FREE__MAX_TOPICS": "3", "MANOR_PLUGINS__CHAT__ENABLED": "true"})

    assert found.config.tiers == {"FREE": {"max_topics": 3}}
    assert list(found.config.plugins) == ["chat"]


def test_variables_without_a_double_underscore_are_not_ours(tmp_path: Path) -> None:
    assert loaded(tmp_path, {"MANOR_PORT": "tcp://10.0.0.1:80", "PATH": "/bin"}).sources == {}


# --- What is wrong with it -----------------------------------------------------------------------------------------


def test_every_problem_of_every_source_is_told_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        {"MANOR_SERVER__PIN_CPU": "maybe", "MANOR_SERVER__BNID": "x"},
        config="""
            [server]
            bind = ["127.0.0.1:99999", 3]
            log_level = "loud"
            [server.limits]
            connections = "many"
            [sever]
            user = "me"
        """,
        more="[server.limits]\nconnections_per_address = -1\n[plugins.topics]\nenabled = 'yes'",
        broken="[server\n",
    )

    assert sorted(found) == [
        "conf.d/broken.toml: line 1, column 8: expected ']' at the end of a table declaration",
        "conf.d/more.toml: plugins.topics.enabled: expected bool, got str",
        "conf.d/more.toml: server.limits.connections_per_address: expected int >= 0, got -1",
        "config.toml: server.bind[0]: expected a port from 0 to 65535, got 99999",
        "config.toml: server.bind[1]: expected str, got int",
        "config.toml: server.limits.connections: expected int, got str",
        "config.toml: server.log_level: expected 'debug' or 'info' or 'warning' or 'error', got 'loud'",
        "config.toml: sever: unknown key; did you mean 'server'?",
        "environment MANOR_SERVER__BNID: server.bnid: unknown key; did you mean 'bind'?",
        "environment MANOR_SERVER__PIN_CPU: server.pin_cpu: expected bool, got 'maybe'",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"[server]\nuser = me\n", "config.toml: line 2, column 8: "),
        (b'[server]\nuser = """me\n', "config.toml: line 3, column 1: "),
        ("[server]\nuser = 'é".encode() + b"\xff'\n", "config.toml: line 2, column 10: not UTF-8"),
    ],
)
def test_a_file_that_is_not_toml_is_told_with_line_and_column(tmp_path: Path, text: bytes, expected: str) -> None:
    (tmp_path / "config.toml").write_bytes(text)

    (found,) = problems(tmp_path)

    assert found.startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("server = 3", "server: expected a table, got int"),
        ("server.bind = '127.0.0.1:8080'", "server.bind: expected an array, got str"),
        ("server.bind = []", "server.bind: expected at least 1 of them, got 0"),
        ("server.bind = ['8080']", "server.bind[0]: expected HOST:PORT"),
        ("server.bind = ['::1:8080']", "server.bind[0]: expected HOST:PORT"),
        ("server.bind = ['[1.2.3.4]:8080']", "server.bind[0]: expected an IPv6 address in the brackets"),
        ("server.bind = ['300.0.0.1:8080']", "server.bind[0]: expected HOST:PORT"),
        ("server.bind = ['unix:']", "server.bind[0]: expected unix:/path"),
        ("server.bind = ['fd://three']", "server.bind[0]: expected fd://NUMBER"),
        ("server.public_url = 'manor.example.org'", "server.public_url: expected an address as https://"),
        ("server.public_url = 'ftp://example.org'", "server.public_url: expected an address as https://"),
        ("server.public_url = 'https://user@example.org'", "server.public_url: expected an address as https://"),
        ("server.public_url = 'https://example.org:x'", "server.public_url: expected an address as https://"),
        ("server.public_url = 'https://[::1'", "server.public_url: expected an address as https://"),
        (
            "server.public_url = 'https://example.org/manor'",
            "server.public_url: expected an address without a path, https://example.org, got",
        ),
        ("server.public_url = 'https://example.org/'", "server.public_url: expected an address as https://"),
        ("server.frontend_url = 'https://example.org/?a=1'", "server.frontend_url: expected an address as https://"),
        ("server.trusted_proxies = ['10.0.0.1/8']", "server.trusted_proxies[0]: expected a network, got the address"),
        ("server.trusted_proxies = ['proxy']", "server.trusted_proxies[0]: expected an address or a network"),
        ("server.cors_origins = ['example.org']", "server.cors_origins[0]: expected an address as https://"),
        ("server.cors_origins = ['']", "server.cors_origins[0]: expected an origin"),
        ("server.plugin_folders = ['nowhere']", "server.plugin_folders[0]: nowhere is not a folder"),
        ("server.data_dir = 'config.toml'", "server.data_dir: config.toml is not a folder"),
        ("server.data_dir = ''", "server.data_dir: expected a path, got ''"),
        ("server.data_dir = 3", "server.data_dir: expected str, got int"),
        ("server.tls_cert = 'config.toml'", "server.tls_key: is missing: server.tls_cert needs it"),
        ("server.tls_key = 'config.toml'", "server.tls_cert: is missing: server.tls_key needs it"),
        ("server.default_tier = 'FREEE'", "server.default_tier: there is no tier 'FREEE'; did you mean 'FREE'?"),
        ("server.limits.address_limit_factor = -0.5", "server.limits.address_limit_factor: expected float >= 0"),
        ("server.limits.connections = true", "server.limits.connections: expected int, got bool"),
        ("server.limits.connections = 1.5", "server.limits.connections: expected int, got float"),
        ("server.smtp.port = 70000", "server.smtp.port: expected int <= 65535, got 70000"),
        ("server.smtp.host = 'mail'", "server.smtp.from: is missing"),
        ("server.smtp.from = 'Manor'", "server.smtp.from: expected an address as Manor <manor@example.org>"),
        ('server.smtp.from = "Manor\\r\\nBcc: x <a@b>"', "server.smtp.from: expected an address"),
        ("server.smtp.username = 'me'", "server.smtp.password_file: is missing"),
        ("server.smtp.password_file = 'nowhere'", "server.smtp.password_file: nowhere cannot be read"),
        ("server.outgoing.allow = ['localhost']", "server.outgoing.allow[0]: expected HOST:PORT"),
        ("server.outgoing.allow = ['localhost:0']", "server.outgoing.allow[0]: expected a port from 1 to 65535"),
        ("server.outgoing.allow = ['10.0.0.1/8']", "server.outgoing.allow[0]: expected a network"),
        ("identity.argon2_memory_mib = 18", "identity.argon2_memory_mib: expected int >= 19, got 18"),
        ("identity.argon2_time = 1", "identity.argon2_time: expected int >= 2, got 1"),
        ("identity.registration = 'no'", "identity.registration: expected 'open' or 'invite' or 'closed', got 'no'"),
        ("tiers.FREE.max_topics = -1", "tiers.FREE.max_topics: expected int >= 0"),
        ("tiers.FREE.max_topics = 'x'", "tiers.FREE.max_topics: expected bool | int, got str"),
        ("plugins.topics = 3", "plugins.topics: expected a table, got int"),
    ],
)
def test_a_value_that_cannot_be_is_told_with_what_was_expected(tmp_path: Path, text: str, expected: str) -> None:
    (found,) = problems(tmp_path, config=text)

    assert found.startswith(f"config.toml: {expected}")


@pytest.mark.parametrize(
    "text",
    [
        "server.bind = ['127.0.0.1:8080', '[::1]:8080', 'localhost:0', 'unix:/run/manor.sock', 'fd://3']",
        "server.public_url = 'https://manor.example.org:8443'",
        "server.frontend_url = 'http://localhost:3000/app'",
        "server.trusted_proxies = ['10.0.0.0/8', '192.0.2.1', 'fd00::/8']",
        "server.cors_origins = ['*', 'https://app.example.org']",
        "server.outgoing.allow = ['127.0.0.1:9000', '[::1]:9000', 'hooks.lan:80', '10.0.0.0/8', '192.0.2.1']",
        "server.limits.address_limit_factor = 2",
        "server.tls_cert = 'config.toml'\nserver.tls_key = 'config.toml'",
        "server.default_tier = 'GOLD'\n[tiers.GOLD]\n",
    ],
)
def test_values_that_can_be_are_taken(tmp_path: Path, text: str) -> None:
    assert loaded(tmp_path, config=text).warnings == ()


def test_what_seems_missing_is_not_told_when_a_file_could_not_be_read(tmp_path: Path) -> None:
    found = problems(tmp_path, config="server.smtp.host = 'mail'", broken="server.smtp.from = 'me@example.org")

    assert len(found) == 1
    assert found[0].startswith("conf.d/broken.toml: line 1, column ")


# --- Secrets -------------------------------------------------------------------------------------------------------


def secret_file(folder: Path, content: bytes = b" hunter22\n", mode: int = 0o600) -> Path:
    file = folder / "smtp.secret"
    file.write_bytes(content)
    file.chmod(mode)
    return file


def test_a_secret_is_the_stripped_content_of_its_file(tmp_path: Path) -> None:
    secret_file(tmp_path)

    found = loaded(tmp_path, config="server.smtp.password_file = 'smtp.secret'")

    assert found.config.server.smtp.password == "hunter22"
    assert found.warnings == ()
    assert "hunter22" not in repr(found)


def test_a_variable_gives_a_secret_itself(tmp_path: Path) -> None:
    found = loaded(tmp_path, {"MANOR_SERVER__SMTP__PASSWORD": "123456"})

    assert found.config.server.smtp.password == "123456"
    assert "123456" not in repr(found)


def test_a_secret_does_not_stand_in_a_file(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, config="server.smtp.password = 'hunter22'")

    assert found == (
        "config.toml: server.smtp.password: a secret does not stand here: use password_file or the variable "
        "MANOR_SERVER__SMTP__PASSWORD"
    )


def test_a_secret_that_everybody_may_read_is_a_warning(tmp_path: Path) -> None:
    file = secret_file(tmp_path, mode=0o644)

    (warning,) = loaded(tmp_path, config="server.smtp.password_file = 'smtp.secret'").warnings

    assert str(warning) == (
        f"{tmp_path}/config.toml: server.smtp.password_file: {file} may be read by everybody; chmod o= {file}"
    )


def test_a_secret_that_is_not_text_is_a_problem(tmp_path: Path) -> None:
    secret_file(tmp_path, b"\xff\xfe")

    (found,) = problems(tmp_path, config="server.smtp.password_file = 'smtp.secret'")

    assert found == "config.toml: server.smtp.password_file: smtp.secret is not UTF-8"


def test_a_folder_is_no_secret_file(tmp_path: Path) -> None:
    (tmp_path / "smtp.secret").mkdir()

    (found,) = problems(tmp_path, config="server.smtp.password_file = 'smtp.secret'")

    assert found == f"config.toml: server.smtp.password_file: smtp.secret cannot be read: {os.strerror(21)}"


# --- Tiers ---------------------------------------------------------------------------------------------------------

DECLARED = [TierLimit("max_topics", {"": 5, "FREE": 2, "BUSINESS": 0}, "Topics of one person.")]


def test_the_shipped_tiers_and_the_admins_own_have_every_declared_limit(tmp_path: Path) -> None:
    found = loaded(tmp_path, config="[tiers.TEAM]\nmax_topics = 9\n[tiers.GOLD]\n")

    limits = tier_limits(found, DECLARED)

    assert {tier: table["max_topics"] for tier, table in limits.items()} == {
        "FREE": 2,
        "ESSENTIALS": 5,
        "TEAM": 9,
        "BUSINESS": 0,
        "GOLD": 5,
    }


def test_a_limit_that_nobody_declares_is_a_problem(tmp_path: Path) -> None:
    found = loaded(tmp_path, config="[tiers.FREE]\nmax_topic = 9\n[tiers.GOLD]\nseats = 1")

    with pytest.raises(AdminFault) as caught:
        tier_limits(found, DECLARED)

    assert [problem.what for problem in caught.value.problems] == [
        "tiers.FREE.max_topic: unknown limit; did you mean 'max_topics'?",
        "tiers.GOLD.seats: unknown limit",
    ]
