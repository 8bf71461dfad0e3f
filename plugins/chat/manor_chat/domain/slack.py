"""Texts as Slack's webhooks write them, in our own markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_LINK = re.compile(r"<([^\s<|>@#!][^\s<|>]*)\|([^|\n>]+)>")
_CALL = re.compile(r"<!(channel|here|all|everyone|group)(?:\|[^\n<|>]*)?>")
_PERSON = re.compile(r"<@([a-zA-Z0-9]{1,64})(?:\|[^\n<|>]*)?>")
_CALLS = {"everyone": "all", "group": "channel"}


def with_links(text: str) -> str:
    """`<https://example.org|words>` as `[words](https://example.org)`; a bare `<https://…>` means the same in both."""
    return _LINK.sub(r"[\2](\1)", text) if "<" in text else text


def with_mentions(text: str, names: Mapping[str, str]) -> str:
    """`<!channel>` as `@channel` (and `here`, `all`, `everyone`), `<@id>` as `@name` for those who are known.

    Args:
        text: What was sent.
        names: Usernames by id.
    """
    if "<" not in text:
        return text
    text = _CALL.sub(lambda found: f"@{_CALLS.get(found[1], found[1])}", text)
    return _PERSON.sub(lambda found: f"@{names[found[1]]}" if found[1] in names else found[0], text)


def translated(text: str, names: Mapping[str, str]) -> str:
    """All of it."""
    return with_links(with_mentions(text, names))


def translated_attachments(attachments: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Attachments whose texts are translated, and whose fields' values are texts."""
    return [_attachment(each, names) for each in attachments]


def people_named(text: str, attachments: Sequence[Mapping[str, Any]] = ()) -> list[str]:
    """The ids in `<@id>`, each once."""
    texts = [text, *(each for attachment in attachments for each in _texts(attachment))]
    return list(dict.fromkeys(found for each in texts for found in _PERSON.findall(each)))


def _attachment(attachment: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    changed = dict(attachment)
    for name in ("pretext", "text", "title"):
        if isinstance(value := changed.get(name), str):
            changed[name] = with_mentions(value, names) if name == "title" else translated(value, names)
    if isinstance(fields := changed.get("fields"), list):
        changed["fields"] = [_field(each, names) for each in fields if isinstance(each, dict)]
    return changed


def _field(field: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    value = field.get("value")
    if value is None:
        return dict(field)
    return {**field, "value": translated(value if isinstance(value, str) else _as_text(value), names)}


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _texts(attachment: Mapping[str, Any]) -> list[str]:
    found = [attachment.get(name) for name in ("pretext", "text", "title")]
    fields = attachment.get("fields")
    if isinstance(fields, list):
        found += [each.get("value") for each in fields if isinstance(each, dict)]
    return [each for each in found if isinstance(each, str)]
