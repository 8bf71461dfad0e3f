"""Buttons of a notification: ntfy's short text form, and lists of objects. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from manor_topics.domain import Misfit
from manor_topics.links import check_target

MOST_ACTIONS = 3
MOST_PAIRS = 20
MOST_TEXT = 4096
"""Characters of anything that an action says."""

KINDS = ("view", "broadcast", "http", "copy")

_TEXTS = ("label", "url", "method", "body", "intent", "value")
_MAPS = ("headers", "extras")
_BY_PLACE = {"view": "url", "http": "url", "copy": "value"}
"""What the third term of the short form is, when it does not say so."""

_METHOD = re.compile(r"[A-Z]{3,20}")
_KEY = re.compile(r"\s*([A-Za-z][A-Za-z0-9_.-]*)\s*=\s*")
_QUOTED = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')\s*(?=[,;]|$)""", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_PLAIN = re.compile(r"[^,;]*")
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")

Action = dict[str, Any]


def read_actions(value: Any) -> list[Action]:
    """Understand buttons.

    Args:
        value: A list of objects; or text: such a list as JSON, or the short form, `view, Open, https://example.org`
            with semicolons between buttons.

    Raises:
        Misfit: It is neither, or a button lacks something.
    """
    if isinstance(value, str):
        text = value.strip()
        value = _from_json(text) if text.startswith("[") else _from_short_form(text)
    if not isinstance(value, list) or not all(isinstance(action, dict) for action in value):
        raise _misfit("is a list of objects, or text such as 'view, Open, https://example.org'")
    if len(value) > MOST_ACTIONS:
        raise _misfit(f"is at most {MOST_ACTIONS} actions")
    return [_checked(action) for action in value]


def _misfit(reason: str) -> Misfit:
    return Misfit("actions", reason)


def _from_json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _misfit("is not valid JSON") from error


# --- The short form ------------------------------------------------------------------------------------------------


def _from_short_form(text: str) -> list[Action]:
    actions: list[Action] = []
    terms: list[tuple[str, str]] = []
    place = 0
    while place < len(text) or terms:
        key, term, place = _term(text, place)
        if key or term or terms:
            terms.append((key, term))
        if place >= len(text) or text[place] == ";":
            if terms:
                actions.append(_named(terms))
            terms = []
        place += 1
    return actions


def _term(text: str, place: int) -> tuple[str, str, int]:
    """The key ("" for none) and the value of a term, and where the `,` or `;` behind it stands."""
    key = ""
    if (found := _KEY.match(text, place)) is not None:
        key, place = found[1], found.end()
    if (found := _QUOTED.match(text, place)) is not None:
        value = found[1] if found[1] is not None else found[2]
        return key, _ESCAPED.sub(_unescaped, value), found.end()
    found = _PLAIN.match(text, place)
    assert found is not None, "nothing matches too"
    value = found[0].strip()
    if value[:1] in ('"', "'"):
        raise _misfit("has a quotation mark without its other half")
    return key, value, found.end()


def _unescaped(found: re.Match[str]) -> str:
    return found[1] if found[1] in "\"'\\" else found[0]


def _named(terms: Sequence[tuple[str, str]]) -> Action:
    action: Action = {}
    for number, (named, value) in enumerate(terms):
        places = ("action", "label", _BY_PLACE.get(str(action.get("action", "")).lower(), ""))
        key = named or (places[number] if number < len(places) else "")
        name, dot, part = key.partition(".")
        if not key:
            raise _misfit(f"has a term that nothing names: '{value[:64]}'")
        if dot and name in _MAPS and part:
            action.setdefault(name, {})[part] = value
        elif key.lower() == "clear":
            action["clear"] = _claim(value)
        elif key.lower() in ("action", *_TEXTS):
            action[key.lower()] = value
        else:
            raise _misfit(f"knows no '{key[:64]}'")
    return action


def _claim(value: str) -> bool:
    if value.lower() not in (*_TRUE, *_FALSE):
        raise _misfit("has a 'clear' that is neither true nor false")
    return value.lower() in _TRUE


# --- Checks --------------------------------------------------------------------------------------------------------


def _checked(action: Action) -> Action:
    """The action with what its members say in one way, and without members that nobody knows."""
    kind = action.get("action")
    kind = kind.lower() if isinstance(kind, str) else kind
    if kind not in KINDS:
        raise _misfit(f"has an 'action' that is none of {', '.join(KINDS)}")
    checked: Action = {"action": kind}
    for name in _TEXTS:
        if (text := action.get(name)) not in (None, ""):
            checked[name] = _text(name, text)
    for name in _MAPS:
        if pairs := action.get(name):
            checked[name] = _pairs(name, pairs)
    if clear := action.get("clear"):
        if clear is not True:
            raise _misfit("has a 'clear' that is neither true nor false")
        checked["clear"] = True
    _check_whole(checked)
    return checked


def _check_whole(action: Action) -> None:
    kind = action["action"]
    wanted = ["label", *([_BY_PLACE[kind]] if kind in _BY_PLACE else [])]
    for name in wanted:
        if name not in action:
            raise _misfit(f"lacks the '{name}' of a '{kind}'")
    if "url" in action:
        check_target("actions", action["url"], web_only=kind == "http")
    if "method" in action:
        action["method"] = action["method"].upper()
        if _METHOD.fullmatch(action["method"]) is None:
            raise _misfit("has a 'method' that is none")
    if "body" in action and action.get("method") in ("GET", "HEAD"):
        raise _misfit(f"has a 'body', which goes with no {action['method']}")


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > MOST_TEXT or any("\ud800" <= each <= "\udfff" for each in value):
        raise _misfit(f"has a '{name}' that is no text of at most {MOST_TEXT} characters")
    return value


def _pairs(name: str, value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > MOST_PAIRS:
        raise _misfit(f"has '{name}' that are no object of at most {MOST_PAIRS} members")
    return {_text(name, key): _text(name, member) for key, member in value.items()}
