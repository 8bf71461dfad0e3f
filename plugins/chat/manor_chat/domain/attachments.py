"""Message attachments: what integrations put beside a post's text, in `props.attachments`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def attachments_in(props: dict[str, Any]) -> list[dict[str, Any]]:
    """Those that are well-formed enough to look into."""
    found = props.get("attachments")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def actions_in(attachment: dict[str, Any]) -> list[dict[str, Any]]:
    """The buttons and menus of an attachment that are well-formed enough to look into."""
    actions = attachment.get("actions")
    return [each for each in actions if isinstance(each, dict)] if isinstance(actions, list) else []


def spoken(message: str, props: dict[str, Any]) -> str:
    """All that a post says: its message, and the texts of its attachments."""
    texts = [message]
    for attachment in attachments_in(props):
        texts += [text for name in ("pretext", "text") if isinstance(text := attachment.get(name), str) and text]
    return "\n\n".join(texts)


def with_action_ids(props: dict[str, Any], new_id: Callable[[], str]) -> dict[str, Any]:
    """The props with an id for each button and menu that has none: clients name it when somebody presses it."""
    if not attachments_in(props):
        return props
    return props | {"attachments": [_with_ids(each, new_id) for each in props["attachments"]]}


def without_integrations(props: dict[str, Any]) -> dict[str, Any]:
    """The props without where buttons and menus lead: that is between this server and the integration."""
    if not attachments_in(props):
        return props
    return props | {"attachments": [_each_action(each, _without_integration) for each in props["attachments"]]}


def with_integrations_of(props: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """The props with where buttons and menus led before, by their ids, where they do not say: clients that send a post
    back as they see it were never told.

    Args:
        props: As they are to be.
        before: As they were.
    """
    known = {
        action["id"]: action["integration"]
        for attachment in attachments_in(before)
        for action in actions_in(attachment)
        if isinstance(action.get("id"), str) and "integration" in action
    }
    if not known or not attachments_in(props):
        return props

    def led(action: dict[str, Any]) -> dict[str, Any]:
        name = action.get("id")
        is_known = isinstance(name, str) and name in known and "integration" not in action
        return action | {"integration": known[name]} if is_known else action

    return props | {"attachments": [_each_action(each, led) for each in props["attachments"]]}


def _with_ids(attachment: Any, new_id: Callable[[], str]) -> Any:
    def named(action: dict[str, Any]) -> dict[str, Any]:
        known = action.get("id")
        return action if isinstance(known, str) and known else action | {"id": new_id()}

    return _each_action(attachment, named)


def _without_integration(action: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in action.items() if name != "integration"}


def _each_action(attachment: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    if not isinstance(attachment, dict) or not isinstance(attachment.get("actions"), list):
        return attachment
    return attachment | {
        "actions": [change(each) if isinstance(each, dict) else each for each in attachment["actions"]]
    }
