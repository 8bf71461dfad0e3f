"""Reacting to posts with emoji."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from manor import Forbidden, NotFound, Transaction
from manor_chat import faults
from manor_chat.domain.emoji_names import is_built_in
from manor_chat.domain.names import EMOJI_NAME
from manor_chat.ids import shown_id
from manor_chat.posts.finding import readable_channels
from manor_chat.rights import Rights
from manor_chat.store.channels import Channel
from manor_chat.store.emoji import find_emoji_by_name
from manor_chat.store.people import find_person
from manor_chat.store.posts import Post, change_post, find_posts
from manor_chat.store.reactions import Reaction, add_reaction, drop_reaction, find_reaction, names_at, reactions_of
from manor_chat.telling import as_text, tell
from manor_chat.times import to_milliseconds
from manor_chat.wire.posts import ReactionShown, show_reaction

MOST_NAMES = 50
"""Different emoji at one post."""


def react(transaction: Transaction, rights: Rights, user_id: UUID, post_id: UUID, emoji_name: str) -> ReactionShown:
    """Have the caller react to a post; a repeat changes nothing.

    Raises:
        BadRequest: 400: that is no name of an emoji, or the post has too many different ones.
        NotFound: 404: there is no such post, or no such emoji.
        Forbidden: 403: they may not, or it is somebody else's reaction.
    """
    _check_name(emoji_name)
    if user_id != rights.user_id:
        raise Forbidden(
            "You cannot save reaction for the other user.", code="api.reaction.save_reaction.user_id.app_error"
        )
    post, channel = rights.readable_post(post_id)
    rights.require_in_channel("add_reaction", channel)
    _check_open(channel)
    if not is_built_in(emoji_name) and find_emoji_by_name(transaction, emoji_name) is None:
        raise NotFound("Unable to get the emoji.", code="app.emoji.get_by_name.no_result")
    known = find_reaction(transaction, post.id, user_id, emoji_name)
    if known is not None:
        return show_reaction(known)
    names = names_at(transaction, post.id) if post.has_reactions else set()
    if emoji_name not in names and len(names) >= MOST_NAMES:
        raise faults.bad_value(
            "app.reaction.save.save.too_many_reactions", "Reaction limit has been reached for this post."
        )
    now = to_milliseconds(transaction.now)
    reaction = Reaction(
        post_id=post.id, user_id=user_id, emoji_name=emoji_name, channel_id=post.channel_id, create_at=now
    )
    add_reaction(transaction, reaction)
    return _note(transaction, post, reaction, "reaction_added", has_reactions=True)


def unreact(transaction: Transaction, rights: Rights, user_id: UUID, post_id: UUID, emoji_name: str) -> None:
    """Take somebody's reaction back; one that is not there is taken back already.

    Raises:
        BadRequest: 400: that is no name of an emoji.
        NotFound: 404: there is no such post or person.
        Forbidden: 403: they may not.
    """
    _check_name(emoji_name)
    post, channel = rights.readable_post(post_id)
    rights.require_in_channel("remove_reaction", channel)
    if user_id != rights.user_id:
        if find_person(transaction, user_id) is None:
            raise faults.missing_user()
        rights.require_in_channel("remove_others_reactions", channel)
    _check_open(channel)
    reaction = find_reaction(transaction, post.id, user_id, emoji_name)
    if reaction is not None:
        left = drop_reaction(transaction, reaction)
        _note(transaction, post, reaction, "reaction_removed", has_reactions=left > 0)


def reactions_to(transaction: Transaction, rights: Rights, post_id: UUID) -> list[ReactionShown]:
    """The reactions to a post, the oldest first.

    Raises:
        NotFound: 404: there is no such post.
        Forbidden: 403: they may not read it.
    """
    post, _ = rights.readable_post(post_id)
    return [show_reaction(each) for each in reactions_of(transaction, [post.id]).get(post.id, [])]


def reactions_to_each(
    transaction: Transaction, rights: Rights, post_ids: Sequence[UUID]
) -> dict[str, list[ReactionShown]]:
    """The same of many posts; those that are not there are left out.

    Raises:
        Forbidden: 403: one of them they may not read.
    """
    posts = [post for post in find_posts(transaction, post_ids).values() if not post.delete_at]
    wanted = {post.channel_id for post in posts}
    if readable_channels(transaction, rights, wanted).keys() != wanted:
        raise faults.no_permission()
    found = reactions_of(transaction, [post.id for post in posts])
    return {shown_id(post.id): [show_reaction(each) for each in found.get(post.id, [])] for post in posts}


def _check_name(emoji_name: str) -> None:
    if EMOJI_NAME.fullmatch(emoji_name) is None:
        raise faults.bad_value("api.reaction.save_reaction.invalid.app_error", "Reaction is not valid.")


def _check_open(channel: Channel) -> None:
    if channel.delete_at:
        raise Forbidden("You cannot react in an archived channel.", code="api.reaction.save.archived_channel.app_error")


def _note(
    transaction: Transaction, post: Post, reaction: Reaction, event: str, *, has_reactions: bool
) -> ReactionShown:
    now = max(to_milliseconds(transaction.now), post.update_at + 1)
    change_post(transaction, post, has_reactions=has_reactions, update_at=now)
    shown = show_reaction(reaction)
    tell(transaction, event, {"reaction": as_text(shown)}, channel_id=post.channel_id)
    return shown
