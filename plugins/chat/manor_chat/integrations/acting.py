"""Buttons and menus: what happens when somebody presses one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from manor import NotFound, Transaction
from manor_chat import faults
from manor_chat.domain.attachments import actions_in, attachments_in, with_action_ids
from manor_chat.domain.hashtags import hashtags_in
from manor_chat.domain.names import PROPS
from manor_chat.domain.post_props import OF_INTEGRATIONS, OF_SERVER
from manor_chat.domain.post_types import EPHEMERAL
from manor_chat.domain.slack import with_links
from manor_chat.events import PostEdited
from manor_chat.ids import new_token, read_ids, shown_id
from manor_chat.integrations.posting import too_much
from manor_chat.integrations.proving import Integration, Proofs
from manor_chat.posts.checking import check_message, check_props
from manor_chat.posts.showing import show_post, show_posts
from manor_chat.rights import Rights
from manor_chat.store.channels import Channel
from manor_chat.store.posts import Post, change_post, find_post
from manor_chat.store.teams import ChatTeam, find_team
from manor_chat.telling import as_text, tell
from manor_chat.times import to_milliseconds

SECONDS = 10.0
"""How long the program behind a button may take."""

_KEPT = OF_SERVER | OF_INTEGRATIONS
SELECT = "select"


class Updated(msgspec.Struct, frozen=True, kw_only=True):
    """A post as the program wants it from now on; without props it keeps its own."""

    message: str = ""
    props: dict[str, Any] | None = None


class ActionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the program says."""

    update: Updated | None = None
    ephemeral_text: str = ""
    skip_slack_parsing: bool = False


@dataclass(frozen=True)
class Pressed:
    """A button that somebody pressed.

    Args:
        integration: Where it leads.
        channel: Where it stands.
        team: The channel's.
        is_kept: Whether its post is one that is kept.
    """

    integration: Integration
    channel: Channel
    team: ChatTeam | None
    is_kept: bool


def press(
    transaction: Transaction, rights: Rights, proofs: Proofs, post_id: UUID, action_id: str, cookie: str
) -> Pressed:
    """Find where a button leads.

    Args:
        transaction: The caller's.
        rights: Of whoever pressed it.
        proofs: Reads the cookie.
        post_id: On which post.
        action_id: Which button.
        cookie: What the client was given with it, where the post is not kept; "" for none.

    Raises:
        NotFound: 404: there is no such post, or no such button on it.
        Forbidden: 403: they may not read it.
        BadRequest: 400: the cookie is none.
    """
    if find_post(transaction, post_id) is None and cookie:
        integration = proofs.unseal(cookie, action_id=action_id, user_id=shown_id(rights.user_id))
        channel_ids = read_ids([integration.channel_id])
        if integration.post_id != shown_id(post_id) or not channel_ids:
            raise faults.missing_post()
        channel = rights.readable_channel(channel_ids[0])
        is_kept = False
    else:
        post, channel = rights.readable_post(post_id)
        integration = _integration(post, action_id)
        is_kept = True
    team = None if channel.team_id is None else find_team(transaction, channel.team_id)
    return Pressed(integration, channel, team, is_kept)


def request_of(pressed: Pressed, rights_name: str, user_id: UUID, trigger_id: str, selected: str) -> dict[str, Any]:
    """What the program is asked."""
    integration, team = pressed.integration, pressed.team
    context = dict(integration.context)
    if integration.type == SELECT:
        context["selected_option"] = selected
    return {
        "user_id": shown_id(user_id),
        "user_name": rights_name,
        "channel_id": shown_id(pressed.channel.id),
        "channel_name": pressed.channel.name,
        "team_id": "" if team is None else shown_id(team.id),
        "team_domain": "" if team is None else team.name,
        "post_id": integration.post_id,
        "trigger_id": trigger_id,
        "type": integration.type,
        "data_source": integration.data_source,
        "context": context,
    }


def read_answer(body: bytes) -> ActionAnswer | None:
    """What the program says; None when it cannot be read."""
    if not body.strip():
        return ActionAnswer()
    try:
        return msgspec.json.decode(body, type=ActionAnswer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def update(transaction: Transaction, pressed: Pressed, updated: Updated, user_id: UUID, proofs: Proofs) -> None:
    """Have the post say something else; who it is from stays.

    Raises:
        BadRequest: 400: it would say too much.
    """
    check_message(updated.message)
    found = next((find_post(transaction, each) for each in read_ids([pressed.integration.post_id])), None)
    before = pressed.integration.props if found is None else found.props
    props = before if updated.props is None else _kept(updated.props, before)
    props = with_action_ids(props, new_token)
    check_props(props)
    if pressed.is_kept:
        if found is not None and not found.delete_at:
            _change(transaction, found, updated.message, props)
        return
    shown = show_post(sealed(proofs, _unkept(transaction, pressed, user_id, updated.message, props)))
    tell(transaction, "post_edited", {"post": as_text(shown)}, user_id=user_id, channel_id=pressed.channel.id)


def sealed(proofs: Proofs, post: Post) -> Post:
    """A post that nobody keeps, its buttons with all that they need to be pressed by the one who sees it.

    Raises:
        BadRequest: 400: that is too much, for each of them needs all props.
    """
    integrations = {name: value for name, value in post.props.items() if name != "attachments"}
    count = sum(len(actions_in(each)) for each in attachments_in(post.props))
    if count * len(msgspec.json.encode(integrations)) > PROPS:
        raise too_much()

    def seal(action: dict[str, Any]) -> dict[str, Any]:
        found = _integration_of(post, action, integrations)
        if found is None:
            return action
        return action | {"cookie": proofs.seal(found, action_id=action["id"], user_id=shown_id(post.user_id))}

    attachments = [
        each | {"actions": [seal(action) if isinstance(action, dict) else action for action in each["actions"]]}
        if isinstance(each.get("actions"), list)
        else each
        for each in attachments_in(post.props)
    ]
    return msgspec.structs.replace(post, props=post.props | {"attachments": attachments}) if attachments else post


def words(answer: ActionAnswer) -> str:
    """What whoever pressed is told alone."""
    return answer.ephemeral_text if answer.skip_slack_parsing else with_links(answer.ephemeral_text)


def _integration(post: Post, action_id: str) -> Integration:
    for attachment in attachments_in(post.props):
        for action in actions_in(attachment):
            if action.get("id") == action_id:
                found = _integration_of(post, action, {})
                if found is not None:
                    return found
    raise NotFound("Invalid action id.", code="api.post.do_action.action_id.app_error")


def _integration_of(post: Post, action: dict[str, Any], props: dict[str, Any]) -> Integration | None:
    """Where an action leads; None when it leads nowhere."""
    leads = action.get("integration")
    if not isinstance(leads, dict) or not isinstance(leads.get("url"), str):
        return None
    context, kind, source = leads.get("context"), action.get("type"), action.get("data_source")
    return Integration(
        post_id=shown_id(post.id),
        root_id=shown_id(post.root_id),
        channel_id=shown_id(post.channel_id),
        type=kind if isinstance(kind, str) else "",
        data_source=source if isinstance(source, str) else "",
        url=leads["url"],
        context=context if isinstance(context, dict) else {},
        props=props,
    )


def _kept(wanted: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    props = {name: value for name, value in wanted.items() if name not in _KEPT}
    return props | {name: before[name] for name in _KEPT if name in before}


def _change(transaction: Transaction, post: Post, message: str, props: dict[str, Any]) -> None:
    now = max(to_milliseconds(transaction.now), post.update_at + 1)
    changed = change_post(transaction, post, message=message, hashtags=hashtags_in(message), props=props, update_at=now)
    (shown,) = show_posts(transaction, [changed])
    tell(transaction, "post_edited", {"post": as_text(shown)}, channel_id=post.channel_id)
    transaction.emit(PostEdited(post_id=post.id, channel_id=post.channel_id))


def _unkept(transaction: Transaction, pressed: Pressed, user_id: UUID, message: str, props: dict[str, Any]) -> Post:
    now = to_milliseconds(transaction.now)
    (post_id,) = read_ids([pressed.integration.post_id])
    return Post(
        id=post_id,
        channel_id=pressed.channel.id,
        user_id=user_id,
        root_id=next(iter(read_ids([pressed.integration.root_id])), None),
        create_at=now,
        update_at=now,
        type=EPHEMERAL,
        message=message,
        props=props,
    )
