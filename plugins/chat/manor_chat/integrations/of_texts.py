"""Built-in commands that say something, or show it."""

from __future__ import annotations

from manor_chat.domain.post_types import ME
from manor_chat.domain.slash import as_code, read_echo
from manor_chat.ids import shown_id
from manor_chat.integrations.command_answers import IN_CHANNEL, CommandResponse
from manor_chat.integrations.doing import BuiltIn, Doing, Echo, Outcome, refusal, told, wanting
from manor_chat.store.preferences import Preference, set_preferences
from manor_chat.telling import as_text, tell

SHRUG = r"¯\\\_(ツ)\_/¯"
LONGEST_DELAY = 10_000
"""Seconds."""


def _me(doing: Doing, text: str) -> Outcome:
    if not text:
        raise wanting("me")
    return _said(f"*{text}*", kind=ME)


def _shrug(doing: Doing, text: str) -> Outcome:
    return _said(f"{text} {SHRUG}" if text else SHRUG)


def _code(doing: Doing, text: str) -> Outcome:
    if not text:
        raise wanting("code")
    return _said(as_code(text))


def _echo(doing: Doing, text: str) -> Outcome:
    message, seconds = read_echo(text)
    if not message:
        raise wanting("echo")
    if seconds > LONGEST_DELAY:
        raise refusal(f"Delays must be under {LONGEST_DELAY} seconds.")
    return Outcome(echo=Echo(message, seconds)) if seconds else _said(message)


def _collapse(doing: Doing, text: str) -> Outcome:
    _prefer(doing, "true")
    return told("Image links now collapse by default.")


def _expand(doing: Doing, text: str) -> Outcome:
    _prefer(doing, "false")
    return told("Image links now expand by default.")


def _prefer(doing: Doing, value: str) -> None:
    wanted = Preference(category="display_settings", name="collapse_previews", value=value)
    prefer(doing, wanted)


def prefer(doing: Doing, wanted: Preference) -> None:
    """Set a preference of whoever typed the command, and tell their clients."""
    user_id = doing.rights.user_id
    set_preferences(doing.transaction, user_id, [wanted])
    shown = {
        "user_id": shown_id(user_id), "category": wanted.category, "name": wanted.name, "value": wanted.value
    }  # fmt: skip
    tell(doing.transaction, "preference_changed", {"preference": as_text(shown)}, user_id=user_id)


def _said(text: str, *, kind: str = "") -> Outcome:
    return Outcome(CommandResponse(response_type=IN_CHANNEL, text=text, type=kind))


def _only_in_apps(trigger: str, description: str, hint: str = "") -> BuiltIn:
    def do(doing: Doing, text: str) -> Outcome:
        return told(f"The {trigger} command is not supported on your device.")

    return BuiltIn(trigger, description, hint, do)


COMMANDS = (
    BuiltIn("me", "Do an action", "[message]", _me),
    BuiltIn("shrug", "Adds ¯\\_(ツ)_/¯ to your message", "[message]", _shrug),
    BuiltIn("code", "Display text as a code block", "[text]", _code),
    BuiltIn("echo", "Echo back text from your account", '"message" [delay in seconds]', _echo),
    BuiltIn("collapse", "Turn on auto-collapsing of image previews", "", _collapse),
    BuiltIn("expand", "Turn off auto-collapsing of image previews", "", _expand),
    _only_in_apps("search", "Search text in messages", "[text]"),
    _only_in_apps("settings", "Open the settings"),
    _only_in_apps("shortcuts", "Show the keyboard shortcuts"),
)
