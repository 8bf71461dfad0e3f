"""What carries a secret does not show it, whatever log or traceback it lands in."""

from __future__ import annotations

import pytest

from manor_hostservices.backends.state import Account, HostState
from manor_hostservices.backups.store import Store
from manor_hostservices.http.stores import StoreSettings, TriedSettings
from manor_hostservices.http.users import NewUser
from manor_hostservices.pages.backups import StoreForm
from manor_hostservices.pages.face import PasswordForm
from manor_hostservices.verbs import AddUser, SetBackupStore

SECRET = "$6$salt$a-secret"


@pytest.mark.parametrize(
    "carrier",
    [
        NewUser("eve_1", SECRET),
        AddUser("eve_1", SECRET),
        HostState(accounts=(Account("eve_1", SECRET),)),
        SetBackupStore("0012ab", SECRET, "my-bucket"),
        Store("0012ab", SECRET, "my-bucket"),
        StoreSettings("0012ab", SECRET, "my-bucket"),
        TriedSettings("0012ab", SECRET, "my-bucket"),
        StoreForm("save", "0012ab", SECRET, "my-bucket"),
        PasswordForm(SECRET),
    ],
    ids=lambda carrier: type(carrier).__name__,
)
def test_a_secret_is_not_shown(carrier: object) -> None:
    assert SECRET not in repr(carrier)
