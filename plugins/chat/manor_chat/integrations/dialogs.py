"""Dialogs: forms that programs show to people, and what these fill in."""

from __future__ import annotations

from typing import Any

import msgspec

from manor import Transaction, from_chat_id
from manor_chat import faults
from manor_chat.domain.callbacks import is_web_address
from manor_chat.domain.nesting import is_too_deep
from manor_chat.domain.trigger_ids import Triggered
from manor_chat.telling import as_text, tell

LONGEST_TITLE = 64
MOST_ELEMENTS = 50


class Dialog(msgspec.Struct, frozen=True, kw_only=True):
    """A form; see the API's Dialog for what its elements are."""

    callback_id: str = ""
    title: str = ""
    introduction_text: str = ""
    icon_url: str = ""
    elements: list[dict[str, Any]] | None = None
    submit_label: str = ""
    notify_on_cancel: bool = False
    state: str = ""


class WantedDialog(msgspec.Struct, frozen=True, kw_only=True):
    """A form that is to be shown, and where what was filled in goes."""

    trigger_id: str = ""
    url: str = ""
    dialog: Dialog = Dialog()


class DialogAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is wrong with what was filled in: with all of it, or by the name of an element."""

    error: str = ""
    errors: dict[str, str] | None = None


def open_dialog(transaction: Transaction, triggered: Triggered, wanted: WantedDialog) -> None:
    """Show a form to one person.

    Raises:
        BadRequest: 400: it leads nowhere, or has no title.
    """
    dialog = wanted.dialog
    if not is_web_address(wanted.url):
        raise faults.bad_body_param("url")
    elements = dialog.elements or []
    if not dialog.title or len(dialog.title) > LONGEST_TITLE or len(elements) > MOST_ELEMENTS or is_too_deep(elements):
        raise faults.bad_body_param("dialog")
    user_id = from_chat_id(triggered.user_id)
    assert user_id is not None, "only ours are signed"
    # The client knows itself by its own id; the program's proof is none of its business.
    shown = as_text(msgspec.structs.replace(wanted, trigger_id=triggered.client_trigger_id))
    for event in ("open_dialog", "dialog_opened"):
        tell(transaction, event, {"dialog": shown}, user_id=user_id)


def submission_of(sent: dict[str, Any], user_id: str) -> dict[str, Any]:
    """What the program is told."""
    return {**sent, "submission": sent["submission"] or {}, "type": "dialog_submission", "user_id": user_id}


def read_dialog_answer(body: bytes) -> DialogAnswer | None:
    """What the program says; None when it cannot be read."""
    if not body.strip():
        return DialogAnswer()
    try:
        return msgspec.json.decode(body, type=DialogAnswer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
