"""Posts that programs write in somebody's name: webhooks, and slash commands that answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from manor import Transaction
from manor_chat import faults
from manor_chat.domain.names import MESSAGE, PROPS
from manor_chat.domain.nesting import is_too_deep
from manor_chat.domain.portions import TooMuch, in_portions
from manor_chat.domain.post_props import OF_INTEGRATIONS, OF_SERVER
from manor_chat.domain.post_types import NORMAL, SLACK_ATTACHMENT, may_be_sent
from manor_chat.domain.slack import people_named, translated, translated_attachments
from manor_chat.ids import read_ids, shown_id
from manor_chat.posts.creating import NewPost, Written, create_post
from manor_chat.posts.notifying import IsOnline
from manor_chat.store.channels import Channel
from manor_chat.store.people import Person, find_people

CALLED = "webhook"
"""What a program's posts are called that says no other name."""

MOST_NAMED = 100
"""Different people whom one text may name by their ids."""


class Spoken(msgspec.Struct, frozen=True, kw_only=True):
    """What a program says.

    Args:
        text: Markdown, of any length.
        username: What it calls itself; "" for `CALLED`, None for whoever it speaks for.
        icon_url: Its picture.
        icon_emoji: Or an emoji in place of one.
        attachments: See the API's MessageAttachment.
        props: What else is kept with the post; some are the server's to set.
        type: Of the post.
        title: What the webhook is called (`webhook_display_name`).
    """

    text: str = ""
    username: str | None = ""
    icon_url: str = ""
    icon_emoji: str = ""
    attachments: Sequence[Mapping[str, Any]] = ()
    props: Mapping[str, Any] = {}
    type: str = ""
    title: str | None = None


def in_our_words(transaction: Transaction, spoken: Spoken) -> Spoken:
    """The same with Slack's ways of writing links and mentions translated."""
    ids = read_ids(people_named(spoken.text, spoken.attachments)[:MOST_NAMED])
    names = {shown_id(person.id): person.handle for person in find_people(transaction, ids).values()}
    return msgspec.structs.replace(
        spoken,
        text=translated(spoken.text, names),
        attachments=translated_attachments(spoken.attachments, names),
    )


def checked_type(spoken: Spoken) -> str:
    """The type of its posts.

    Raises:
        BadRequest: 400: it is one that the server alone writes; or what comes with it is too deep to be kept.
    """
    if not may_be_sent(spoken.type):
        raise faults.bad_body_param("post.type")
    if is_too_deep([spoken.props, spoken.attachments]):
        raise too_much()
    return SLACK_ATTACHMENT if spoken.attachments and spoken.type == NORMAL else spoken.type


def props_of(spoken: Spoken) -> dict[str, Any]:
    """What its posts have in their props besides the attachments: under which name they are shown."""
    kept = OF_SERVER | OF_INTEGRATIONS | {"attachments"}
    props = {name: value for name, value in spoken.props.items() if name not in kept}
    props["from_webhook"] = "true"
    if spoken.username is not None:
        props["override_username"] = spoken.username or CALLED
    if spoken.icon_url:
        props["override_icon_url"] = spoken.icon_url
    if spoken.icon_emoji:
        props["override_icon_emoji"] = spoken.icon_emoji.strip(":")
    if spoken.title is not None:
        props["webhook_display_name"] = spoken.title
    return props


def speak(
    transaction: Transaction,
    channel: Channel,
    author: Person,
    spoken: Spoken,
    *,
    is_online: IsOnline,
    root_id: UUID | None = None,
    set_online: bool = False,
) -> list[Written]:
    """Write what a program says, in as many posts as it takes.

    Args:
        transaction: The caller's.
        channel: Where; whether it may was checked.
        author: In whose name.
        spoken: What, in our words.
        is_online: Whether somebody is there now, for `@here`.
        root_id: The post that it answers.
        set_online: Whether the author is seen online for it.

    Raises:
        BadRequest: 400: its type is the server's, it has more props than a post can hold, or see `create_post`.
    """
    kind, props = checked_type(spoken), props_of(spoken)
    try:
        portions = in_portions(spoken.text, props, spoken.attachments, longest_message=MESSAGE, longest_props=PROPS)
    except TooMuch as error:
        raise too_much() from error
    new = NewPost(channel=channel, author=author, type=kind, root_id=root_id, set_online=set_online)
    return [
        create_post(
            transaction,
            msgspec.structs.replace(new, message=portion.message, props=portion.props),
            is_online=is_online,
        )
        for portion in portions
    ]


def too_much() -> Exception:
    """400: there is more beside the text than can be kept, or shown."""
    return faults.bad_value(
        "web.incoming_webhook.split_props_length.app_error", "The props and attachments do not fit into a post."
    )
