"""What a message may have beside its text: pure rules for what clients send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec import UNSET

from manor_topics.actions import read_actions
from manor_topics.domain import Misfit
from manor_topics.links import check_target
from manor_topics.messages import Extras

MOST_FILE_NAME = 255


def check_attachment(url: Any, name: Any = None) -> dict[str, Any]:
    """A file that stands elsewhere.

    Args:
        url: Where.
        name: What it is called; the last part of the URL's path when not given.

    Raises:
        Misfit: It is no URL, or no name.
    """
    checked = check_target("attach", url, web_only=True)
    if not name:
        last = unquote(urlsplit(checked).path.rpartition("/")[2], errors="replace")
        name = "".join(filter(str.isprintable, last))[:MOST_FILE_NAME] or "attachment"
    if not isinstance(name, str) or len(name) > MOST_FILE_NAME or not name.isprintable():
        raise Misfit("filename", f"is 1 to {MOST_FILE_NAME} printable characters")
    return {"name": name, "url": checked}


def read_extras_members(members: Mapping[str, Any]) -> Extras:
    """The extras among a JSON body's members; the others are not looked at.

    Raises:
        Misfit: A value cannot be taken.
    """
    attachment = members.get("attachment")
    if attachment is not None and not isinstance(attachment, dict):
        raise Misfit("attachment", "is an object with a url")
    url, name = members.get("attach") or None, members.get("filename")
    if attachment:
        url, name = attachment.get("url"), attachment.get("name")
    markdown = members.get("markdown")
    if markdown is not None and type(markdown) is not bool:
        raise Misfit("markdown", "is true or false")
    actions = read_actions(members["actions"]) if members.get("actions") else None
    return Extras(
        click=check_target("click", members["click"]) if members.get("click") else UNSET,
        icon=check_target("icon", members["icon"], web_only=True) if members.get("icon") else UNSET,
        markdown=markdown or UNSET,
        actions=actions or UNSET,
        attachment=check_attachment(url, name) if url is not None else UNSET,
    )
