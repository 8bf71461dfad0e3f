"""Files that root believes, and files that it does not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from manor_hostservices.config import HostConfig
from manor_hostservices.helper.configuration import load
from manor_hostservices.helper.trusted_files import LONGEST, Untrusted, list_trusted, read_trusted
from manor_hostservices.refusals import Unconfigured

# Folders above the test's own are root's.
OWNERS = frozenset({0, os.getuid()})
ON = "[plugins.hostservices]\nenabled = true\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An `/etc/manor` as its package makes it."""
    made = tmp_path / "etc/manor"
    put(made / "config.toml", ON)
    put(made / "conf.d/10-own.toml", "[server]\nlog_level = 'debug'\n")
    for each in (made, made.parent, made / "conf.d"):
        each.chmod(0o750)
    return made


def put(path: Path, text: str | bytes, mode: int = 0o640) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


def test_the_administrators_files_are_laid_over_one_another(folder: Path) -> None:
    put(folder / "conf.d/20-host.toml", '[plugins.hostservices]\nprimary_user = "chief"\nbackend = "nixos"\n')
    put(folder / "conf.d/30-host.toml", '[plugins.hostservices]\nprimary_user = "boss"\n')

    assert load(folder, OWNERS) == HostConfig(backend="nixos", primary_user="boss")


@pytest.mark.parametrize("name", ["90-managed.toml", ".20-hidden.toml", "20-host.toml~", "20-host.conf"])
def test_what_the_daemon_writes_is_not_read_nor_what_is_no_drop_in(folder: Path, name: str) -> None:
    put(folder / "conf.d" / name, '[plugins.hostservices]\nprimary_user = "eve"\n', 0o666)

    assert load(folder, OWNERS) == HostConfig()


def test_variables_are_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANOR_PLUGINS__HOSTSERVICES__PRIMARY_USER", "eve")

    assert load(folder, OWNERS).primary_user == "admin"


def others_write_the_file(folder: Path) -> Path:
    (folder / "config.toml").chmod(0o660)
    return folder / "config.toml"


def everybody_writes_a_drop_in(folder: Path) -> Path:
    return put(folder / "conf.d/20-own.toml", ON, 0o646)


def others_write_the_folder(folder: Path) -> Path:
    folder.chmod(0o770)
    return folder


def others_add_drop_ins(folder: Path) -> Path:
    (folder / "conf.d").chmod(0o1770)
    return folder / "conf.d"


def others_write_a_folder_above(folder: Path) -> Path:
    folder.parent.chmod(0o757)
    return folder.parent


def a_link_leads_to_what_others_write(folder: Path) -> Path:
    target = put(folder.parents[1] / "open/config.toml", ON)
    target.parent.chmod(0o777)
    (folder / "config.toml").unlink()
    (folder / "config.toml").symlink_to("../../open/config.toml")
    return target.parent


def a_link_leads_to_a_file_that_others_write(folder: Path) -> Path:
    target = put(folder / "other.toml", ON, 0o662)
    (folder / "config.toml").unlink()
    (folder / "config.toml").symlink_to(target)
    return target


def it_is_a_folder(folder: Path) -> Path:
    (folder / "config.toml").unlink()
    (folder / "config.toml").mkdir()
    (folder / "config.toml").chmod(0o700)
    return folder / "config.toml"


def it_is_a_pipe(folder: Path) -> Path:
    (folder / "config.toml").unlink()
    os.mkfifo(folder / "config.toml", 0o600)
    return folder / "config.toml"


def it_leads_to_itself(folder: Path) -> Path:
    (folder / "config.toml").unlink()
    (folder / "config.toml").symlink_to("config.toml")
    return folder / "config.toml"


def it_has_no_end(folder: Path) -> Path:
    return put(folder / "config.toml", b"#" * (LONGEST + 1))


def conf_d_is_a_file(folder: Path) -> Path:
    (folder / "conf.d/10-own.toml").unlink()
    (folder / "conf.d").rmdir()
    return put(folder / "conf.d", ON)


@pytest.mark.parametrize(
    "spoil",
    [
        others_write_the_file,
        everybody_writes_a_drop_in,
        others_write_the_folder,
        others_add_drop_ins,
        others_write_a_folder_above,
        a_link_leads_to_what_others_write,
        a_link_leads_to_a_file_that_others_write,
        it_is_a_folder,
        it_is_a_pipe,
        it_leads_to_itself,
        it_has_no_end,
        conf_d_is_a_file,
    ],
)
def test_what_somebody_else_may_have_written_is_refused_by_name(folder: Path, spoil: Callable[[Path], Path]) -> None:
    place = spoil(folder)

    with pytest.raises(Unconfigured) as refused:
        load(folder, OWNERS)

    assert f"{place}: " in refused.value.detail


@pytest.mark.box  # only root gives files away
@pytest.mark.parametrize("name", ["config.toml", "conf.d", "conf.d/10-own.toml", "link", "."])
def test_what_belongs_to_somebody_else_is_refused_by_name(folder: Path, name: str) -> None:
    if name == "link":
        (folder / "config.toml").rename(folder / "real.toml")
        (folder / "config.toml").symlink_to("real.toml")
        name = "config.toml"
    os.chown(folder / name, 12345, 0, follow_symlinks=False)

    with pytest.raises(Unconfigured) as refused:
        load(folder)

    assert f"{folder / name}: " in refused.value.detail
    assert "user 12345, not to root" in refused.value.detail


@pytest.mark.box  # only root gives files away
def test_in_a_folder_where_everybody_adds_files_root_believes_its_own(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    own, other = put(tmp_path / "own", "x"), put(tmp_path / "other", "x")
    os.chown(other, 12345, 0)

    assert read_trusted(own) == b"x"
    with pytest.raises(Untrusted):
        read_trusted(other)
    with pytest.raises(Untrusted):
        list_trusted(tmp_path)


def test_links_of_a_system_that_is_built_are_followed(folder: Path) -> None:
    """As on NixOS: `/etc/manor/config.toml` → `/etc/static/manor/config.toml`, and `/etc/static` leads to the store."""
    root = folder.parents[1]
    put(root / "store/abc-etc/etc/manor/config.toml", '[plugins.hostservices]\nenabled = true\nprimary_user = "nix"\n')
    (root / "etc/static").symlink_to(root / "store/abc-etc/etc")
    (folder / "config.toml").unlink()
    (folder / "config.toml").symlink_to("../static/manor/config.toml")
    (root / "store").chmod(0o1775)

    assert load(folder, OWNERS).primary_user == "nix"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "enabled = true"),
        ("[plugins.hostservices]\nenabled = false\n", "enabled = true"),
        (f'{ON}backend = "sandbox"\nroot = "/srv"\n', "sandbox"),
        (f"{ON}primry_user = 'x'\n", "config.toml: plugins.hostservices.primry_user: unknown key"),
        (f'{ON}root = "/srv"\n', "root is the folder that a sandbox keeps to"),
        (f"{ON}primary_user = 3\n", "config.toml: plugins.hostservices.primary_user: expected str"),
        (f"{ON}dkim_file = 'x'\n", "config.toml: plugins.hostservices.dkim_file: expected a path"),
        (f"{ON}[plugins.hostservices.services.x]\nunits = ['-x']\n", "plugins.hostservices.services.x.units"),
        (f"{ON}[plugins", "config.toml: line 3"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_key(folder: Path, text: str, why: str) -> None:
    put(folder / "config.toml", text)

    with pytest.raises(Unconfigured) as refused:
        load(folder, OWNERS)

    assert why in refused.value.detail


def test_without_files_it_is_off(tmp_path: Path) -> None:
    with pytest.raises(Unconfigured, match="enabled = true"):
        load(tmp_path / "none", OWNERS)


def test_drop_ins_alone_will_do(folder: Path) -> None:
    (folder / "config.toml").rename(folder / "conf.d/00-first.toml")

    assert load(folder, OWNERS) == HostConfig()
