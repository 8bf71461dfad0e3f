"""Drafts: what somebody has begun to write, wherever they go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import select

from manor import Transaction
from manor_chat import faults
from manor_chat.ids import read_ids, shown_id
from manor_chat.posts.checking import check_file_count, check_message, check_props
from manor_chat.posts.sending import may_post
from manor_chat.rights import Rights
from manor_chat.store.drafts import NO_ROOT, Draft, drafts_of, drop_draft, find_draft, keep_draft
from manor_chat.store.posts import find_post, portions
from manor_chat.tables.posts import files
from manor_chat.telling import as_text, tell
from manor_chat.times import to_milliseconds
from manor_chat.wire.posts import FileInfo, PostMetadata, show_file


class DraftShown(msgspec.Struct, frozen=True, kw_only=True):
    """A draft."""

    create_at: int
    update_at: int
    delete_at: int = 0
    user_id: str
    channel_id: str
    root_id: str
    message: str
    props: dict[str, Any]
    file_ids: list[str] | UnsetType = UNSET
    metadata: PostMetadata
    priority: dict[str, Any] | UnsetType = UNSET


class DraftWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A draft that somebody wants kept."""

    channel_id: UUID
    root_id: UUID | None = None
    message: str = ""
    props: dict[str, Any] = {}
    file_ids: Sequence[UUID] = ()
    priority: dict[str, Any] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left of it."""
        return not self.message and not self.file_ids


def keep(transaction: Transaction, rights: Rights, wanted: DraftWanted, connection_id: str) -> DraftShown:
    """Keep what the caller has begun to write; when nothing is left of it, it is forgotten.

    Args:
        transaction: The caller's.
        rights: Theirs.
        wanted: The draft.
        connection_id: The connection that needs not to be told.

    Raises:
        BadRequest: 400: it is too long, or its root is not one of the channel.
        NotFound: 404: there is no such channel.
        Forbidden: 403: they may not write there.
    """
    channel = rights.channel(wanted.channel_id)
    if not may_post(rights, channel):
        raise faults.no_permission()
    check_message(wanted.message)
    check_props(wanted.props)
    check_props(wanted.priority or {})
    check_file_count(wanted.file_ids)
    if wanted.root_id is not None:
        root = find_post(transaction, wanted.root_id)
        if root is None or root.delete_at or root.root_id is not None or root.channel_id != channel.id:
            raise faults.bad_body_param("root_id")
    before = find_draft(transaction, rights.user_id, channel.id, wanted.root_id or NO_ROOT)
    now = to_milliseconds(transaction.now)
    draft = Draft(
        user_id=rights.user_id,
        channel_id=channel.id,
        root_id=wanted.root_id or NO_ROOT,
        create_at=now if before is None else before.create_at,
        update_at=now,
        message=wanted.message,
        props=wanted.props,
        file_ids=[shown_id(each) for each in wanted.file_ids],
        priority=wanted.priority,
    )
    if wanted.is_empty:
        return _drop(transaction, draft, connection_id, is_known=before is not None)
    keep_draft(transaction, draft)
    (shown,) = _show(transaction, [draft])
    _tell(transaction, "draft_created" if before is None else "draft_updated", draft, shown, connection_id)
    return shown


def forget(
    transaction: Transaction, rights: Rights, user_id: UUID, channel_id: UUID, root_id: UUID | None, connection_id: str
) -> None:
    """Forget what somebody has begun to write for a channel or a thread; what is not there is forgotten already.

    Raises:
        NotFound: 404: there is no such channel.
        Forbidden: 403: it is not theirs.
    """
    channel = rights.channel(channel_id)
    if user_id != rights.user_id:
        raise faults.no_permission()
    draft = find_draft(transaction, user_id, channel.id, root_id or NO_ROOT)
    if draft is not None:
        _drop(transaction, draft, connection_id, is_known=True)


def list_drafts(transaction: Transaction, rights: Rights, user_id: UUID, team_id: UUID) -> list[DraftShown]:
    """Somebody's drafts for channels of a team and of people, the last changed one first.

    Raises:
        NotFound: 404: there is no such team.
        Forbidden: 403: they are not theirs, or they are not in the team.
    """
    rights.team(team_id)
    if user_id != rights.user_id:
        raise faults.no_permission()
    rights.require_in_team("view_team", team_id)
    return _show(transaction, drafts_of(transaction, user_id, team_id))


def _drop(transaction: Transaction, draft: Draft, connection_id: str, *, is_known: bool) -> DraftShown:
    (shown,) = _show(transaction, [draft])
    gone = msgspec.structs.replace(shown, delete_at=to_milliseconds(transaction.now))
    if is_known:
        drop_draft(transaction, draft)
        _tell(transaction, "draft_deleted", draft, gone, connection_id)
    return gone


def _show(transaction: Transaction, drafts: Sequence[Draft]) -> list[DraftShown]:
    found: dict[str, FileInfo] = {}
    for some in portions([id_ for draft in drafts for id_ in read_ids(draft.file_ids)]):
        for row in transaction.connection.execute(select(files).where(files.c.id.in_(some), files.c.delete_at == 0)):
            if any(row.user_id == draft.user_id for draft in drafts):
                found[shown_id(row.id)] = show_file(row)
    return [
        DraftShown(
            create_at=draft.create_at,
            update_at=draft.update_at,
            user_id=shown_id(draft.user_id),
            channel_id=shown_id(draft.channel_id),
            root_id="" if draft.root_id == NO_ROOT else shown_id(draft.root_id),
            message=draft.message,
            props=draft.props,
            file_ids=draft.file_ids or UNSET,
            metadata=PostMetadata(files=[found[name] for name in draft.file_ids if name in found]),
            priority=UNSET if draft.priority is None else draft.priority,
        )
        for draft in drafts
    ]


def _tell(transaction: Transaction, event: str, draft: Draft, shown: DraftShown, connection_id: str) -> None:
    data = {"draft": as_text(shown)}
    tell(
        transaction,
        event,
        data,
        user_id=draft.user_id,
        channel_id=draft.channel_id,
        omit_connection=connection_id,
    )
