"""Posts of an import as they are staged: names are known people and channels, and all of it is checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

import msgspec

from manor_chat.domain.names import EMOJI_NAME, FILES_OF_A_POST, MESSAGE, PROPS
from manor_chat.domain.post_types import EPHEMERAL, is_system
from manor_chat.moving.known import Known, name_of_people
from manor_chat.moving.lines import DirectPostSaid, FollowerSaid, PostSaid, ReactionSaid, ReplySaid, RootSaid
from manor_chat.moving.report import Tally
from manor_chat.moving.staging import StagedPost, StagedReaction

_TYPE = 26
"""Characters of a post's type."""

_MOST_REACTIONS = 10_000


class PostReader:
    """Turns lines into staged posts, and numbers these.

    Args:
        known: Who and what is known by name; read only.
        tally: Where troubles go.
    """

    def __init__(self, known: Known, tally: Tally) -> None:
        self._known = known
        self._tally = tally
        self._last = 0

    def read(self, line: int, said: PostSaid | DirectPostSaid) -> Iterator[tuple[int, StagedPost]]:
        """A post and its replies, each with when it stands in the order; nothing where it cannot be carried over."""
        channel_id = self._channel(line, said)
        if channel_id is None:
            return
        root = self._post(line, said, channel_id, 0, None)
        if root is None:
            if said.replies:
                self._tally.trouble(line, f"{len(said.replies)} replies to it are left out with it")
            return
        followers = self._followers(line, said, root)
        yield root.create_at, msgspec.structs.replace(root, followers=followers)
        told = {user_id for user_id, _ in followers} if said.thread_followers is not None else None
        for each in said.replies or ():
            reply = self._post(line, each, channel_id, root.ref, told)
            if reply is not None:
                yield max(root.create_at, reply.create_at), reply

    def _channel(self, line: int, said: PostSaid | DirectPostSaid) -> UUID | None:
        if isinstance(said, PostSaid):
            found = self._known.channel_of(said.team, said.channel)
            if found is None:
                self._tally.trouble(line, f"there is no channel {said.channel[:80]} in a team {said.team[:80]}")
            return found
        people = self._known.people(said.channel_members)
        found = None if not people else self._known.channels.get((None, name_of_people(people)))
        if found is None:
            self._tally.trouble(line, "there is no conversation of these people")
        return found

    def _post(
        self, line: int, said: ReplySaid, channel_id: UUID, root_ref: int, told: Iterable[UUID] | None
    ) -> StagedPost | None:
        user_id = self._known.users.get(said.user.lower())
        message, kind, props = said.message or "", said.type or "", said.props or {}
        fault = self._fault(said, user_id, message, kind, props)
        if fault or user_id is None:
            self._tally.trouble(line, f"{'reply' if root_ref else 'post'}: {fault}")
            return None
        self._last += 1
        is_theirs = not is_system(kind) and "from_webhook" not in props
        return StagedPost(
            line=line,
            ref=self._last,
            root_ref=root_ref,
            channel_id=channel_id,
            user_id=user_id,
            create_at=said.create_at,
            edit_at=said.edit_at or 0,
            type=kind,
            message=message,
            props=props,
            is_pinned=bool(said.is_pinned),
            is_following=is_theirs and (told is None or user_id in told),
            reactions=list(self._reactions(line, said.reactions or ())),
            flagged_by=self._flagged(line, said.flagged_by or ()),
            followers=[],
            files=(said.attachments or [])[:FILES_OF_A_POST],
        )

    def _fault(self, said: ReplySaid, user_id: UUID | None, message: str, kind: str, props: dict[str, Any]) -> str:
        if user_id is None:
            return f"its author {said.user[:80]} is nobody here"
        if not said.create_at:
            return "it does not say when it was written"
        if len(message) > MESSAGE:
            return f"it is longer than {MESSAGE} characters"
        if len(kind) > _TYPE or kind == EPHEMERAL:
            return f"no post is of the type {kind[:40]!r}"
        if props and len(msgspec.json.encode(props).decode()) > PROPS:
            return f"its props are longer than {PROPS} characters"
        if len(said.attachments or ()) > FILES_OF_A_POST:
            self._tally.left_out[f"files of posts with more than {FILES_OF_A_POST}"] += (
                len(said.attachments or ()) - FILES_OF_A_POST
            )
        return ""

    def _reactions(self, line: int, said: Iterable[ReactionSaid]) -> Iterator[StagedReaction]:
        seen: set[tuple[UUID, str]] = set()
        for each in said:
            user_id = self._known.users.get(each.user.lower())
            if user_id is None:
                self._tally.trouble(line, f"reaction: {each.user[:80]} is nobody here")
            elif EMOJI_NAME.fullmatch(each.emoji_name) is None:
                self._tally.trouble(line, f"reaction: no emoji is called {each.emoji_name[:80]!r}")
            elif (user_id, each.emoji_name) not in seen and len(seen) < _MOST_REACTIONS:
                seen.add((user_id, each.emoji_name))
                yield StagedReaction(user_id, each.emoji_name, each.create_at)

    def _flagged(self, line: int, names: Iterable[str]) -> list[UUID]:
        found = {name: self._known.users.get(name.lower()) for name in names}
        for name, user_id in found.items():
            if user_id is None:
                self._tally.trouble(line, f"saved by {name[:80]}, who is nobody here")
        return list(dict.fromkeys(user_id for user_id in found.values() if user_id is not None))

    def _followers(self, line: int, said: RootSaid, root: StagedPost) -> list[tuple[UUID, int]]:
        """Who follows the thread: those who are said to, else the author of a post that was answered."""
        if said.thread_followers is None:
            return [(root.user_id, root.create_at)] if said.replies and root.is_following else []
        return list(dict(self._follower(line, said.thread_followers)).items())

    def _follower(self, line: int, said: Iterable[FollowerSaid]) -> Iterator[tuple[UUID, int]]:
        for each in said:
            user_id = self._known.users.get(each.user.lower())
            if user_id is None:
                self._tally.trouble(line, f"followed by {each.user[:80]}, who is nobody here")
            else:
                yield user_id, each.last_viewed or 0
