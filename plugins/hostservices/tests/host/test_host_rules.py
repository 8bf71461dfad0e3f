"""What may be said about accounts, keys and zones."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manor_hostservices.rules import (
    Rule,
    check_account_name,
    check_password,
    check_zone,
    is_reserved,
    read_public_key,
)
from tests.host_keys import bad_keys, new_key, new_rsa_key

BAD_KEYS = bad_keys()


@pytest.mark.parametrize(
    "line",
    [new_key(), new_key(""), new_key("two words"), new_rsa_key(), new_rsa_key(4096)],
    # Keys are made anew in every process: workers have to know a test by the same name.
    ids=["with a comment", "without one", "with two words", "rsa", "long rsa"],
)
def test_keys_are_read_whole(line: str) -> None:
    assert read_public_key(line).line == line


def test_a_comment_makes_no_other_key() -> None:
    line = new_key("ada@laptop")

    assert read_public_key(line).blob == read_public_key(f"{line.rsplit(' ', 1)[0]} eve").blob
    assert read_public_key(line).blob != read_public_key(new_key("ada@laptop")).blob


@pytest.mark.parametrize("line", BAD_KEYS.values(), ids=BAD_KEYS)
def test_what_is_no_key_is_refused_with_a_sentence(line: str) -> None:
    with pytest.raises(Rule, match="Invalid key"):
        read_public_key(line)


@given(
    st.one_of(st.text(), st.binary().map(lambda blob: f"ssh-rsa {blob.hex()}"), st.text().map("ssh-ed25519 {}".format))
)
def test_no_line_breaks_the_reader(line: str) -> None:
    with suppress(Rule):
        assert read_public_key(line).line == line


@pytest.mark.parametrize("name", ["ev", "_x", "eve_1", "a" * 31])
def test_names_of_accounts(name: str) -> None:
    check_account_name(name)


@pytest.mark.parametrize("name", ["", "e", "1e", "Eve", "e-ve", "e.ve", "eve\n", "\neve", "eve\x00", "évé", "a" * 32])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(Rule, match="username must be"):
        check_account_name(name)


@pytest.mark.parametrize("name", ["root", "manor", "virtualMail", "systemd", "systemdx", "nixbld30"])
def test_names_of_the_system_are_reserved(name: str) -> None:
    assert is_reserved(name)


@pytest.mark.parametrize("name", ["rooty", "mail", "nixbl"])
def test_other_names_are_free(name: str) -> None:
    assert not is_reserved(name)


@pytest.mark.parametrize("password", ["x", "-rf", "pässwörd 💡", " ", "x" * 512])
def test_passwords(password: str) -> None:
    check_password(password)


@pytest.mark.parametrize("password", ["", "a\nb", "a\r", "a\x00", "\x1b[2J", "x" * 513, "ü" * 257])
def test_passwords_that_nobody_can_type(password: str) -> None:
    with pytest.raises(Rule, match="password must"):
        check_password(password)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"])
def test_zones(zone: str) -> None:
    check_zone(zone)


@pytest.mark.parametrize("zone", ["", "utc", "Europe/Berlin ", "Europe/Berlin\n", "../UTC", "/usr/share/zoneinfo/UTC"])
def test_zones_that_are_none(zone: str) -> None:
    with pytest.raises(Rule, match="Invalid timezone"):
        check_zone(zone)
