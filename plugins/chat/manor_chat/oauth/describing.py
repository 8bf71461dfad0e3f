"""How a program that may act for people describes itself."""

from __future__ import annotations

from typing import Any

import msgspec

from manor_chat import faults
from manor_chat.domain.callbacks import MOST, is_callback, is_web_address
from manor_chat.ids import shown_id
from manor_chat.store.oauth import OAuthApp

_BAD = "model.oauth.is_valid"


class WantedApp(msgspec.Struct, frozen=True, kw_only=True):
    """A program as somebody describes it."""

    id: str = ""
    name: str = ""
    description: str = ""
    icon_url: str = ""
    callback_urls: list[str] = []
    homepage: str = ""
    is_trusted: bool = False


def check_described(wanted: WantedApp) -> None:
    """See that a program may be described so.

    Raises:
        BadRequest: 400 with the id of what is wrong.
    """
    if not 1 <= len(wanted.name.strip()) <= 64:
        raise faults.bad_value(f"{_BAD}.name.app_error", "Invalid name.")
    if len(wanted.description) > 512:
        raise faults.bad_value(f"{_BAD}.description.app_error", "Invalid description.")
    if not 1 <= len(wanted.callback_urls) <= MOST or not all(map(is_callback, wanted.callback_urls)):
        raise faults.bad_value(f"{_BAD}.callback.app_error", "Callback URLs must be valid, without a fragment.")
    if not 1 <= len(wanted.homepage) <= 256 or not is_web_address(wanted.homepage):
        raise faults.bad_value(f"{_BAD}.homepage.app_error", "Homepage must be a valid URL.")
    if wanted.icon_url and (len(wanted.icon_url) > 512 or not is_web_address(wanted.icon_url)):
        raise faults.bad_value(f"{_BAD}.icon_url.app_error", "Icon URL must be a valid URL.")


def described(wanted: WantedApp, *, is_admin: bool) -> dict[str, Any]:
    """What is kept of a description. Who trusts a program for everybody is an administrator."""
    names = ("description", "icon_url", "homepage", "callback_urls")
    kept = {name: getattr(wanted, name) for name in names}
    return kept | {"name": wanted.name.strip(), "is_trusted": wanted.is_trusted and is_admin}


def show_app(app: OAuthApp, secret: str = "") -> dict[str, Any]:
    """A program as the API shows it; its secret in the one answer that has it."""
    shown = msgspec.structs.asdict(app)
    del shown["secret_hash"]
    ids = {"id": shown_id(app.id), "creator_id": shown_id(app.creator_id)}
    return shown | ids | {"client_secret": secret, "mattermost_app_id": ""}
