"""Posts, reactions and files as the API shows them."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from manor_chat.ids import shown_id


class FileInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A file; `post_id` is "" until a post names it."""

    id: str
    user_id: str
    post_id: str
    channel_id: str
    create_at: int
    update_at: int
    delete_at: int
    name: str
    extension: str
    size: int
    mime_type: str
    width: int = 0
    height: int = 0
    has_preview_image: bool = False
    mini_preview: str | None = None
    remote_id: str = ""
    archived: bool = False


class ReactionShown(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's reaction to a post."""

    user_id: str
    post_id: str
    emoji_name: str
    create_at: int
    update_at: int
    delete_at: int = 0
    remote_id: str = ""
    channel_id: str


class PostMetadata(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What clients would otherwise ask for: embeds, custom emoji, files, image sizes, reactions."""

    embeds: list[dict[str, Any]] = []
    emojis: list[dict[str, Any]] = []
    files: list[FileInfo] = []
    images: dict[str, Any] = {}
    reactions: list[ReactionShown] = []


class PostShown(msgspec.Struct, frozen=True, kw_only=True):
    """A post."""

    id: str
    create_at: int
    update_at: int
    edit_at: int
    delete_at: int
    is_pinned: bool
    user_id: str
    channel_id: str
    root_id: str
    original_id: str
    message: str
    type: str
    props: dict[str, Any]
    hashtags: str
    file_ids: list[str] | UnsetType = UNSET
    pending_post_id: str = ""
    has_reactions: bool | UnsetType = UNSET
    reply_count: int
    last_reply_at: int
    participants: list[dict[str, Any]] | None = None
    is_following: bool | UnsetType = UNSET
    metadata: PostMetadata


class PostList(msgspec.Struct, frozen=True, kw_only=True):
    """Posts in `order`, newest first; `posts` may hold more than it names (roots of replies)."""

    order: list[str]
    posts: dict[str, PostShown]
    next_post_id: str = ""
    prev_post_id: str = ""
    has_next: bool | UnsetType = UNSET
    first_inaccessible_post_time: int = 0


def show_reaction(row: Any) -> ReactionShown:
    """A reaction of a row of `chat_reactions`."""
    return ReactionShown(
        user_id=shown_id(row.user_id),
        post_id=shown_id(row.post_id),
        emoji_name=row.emoji_name,
        create_at=row.create_at,
        update_at=row.create_at,
        channel_id=shown_id(row.channel_id),
    )


def show_file(row: Any) -> FileInfo:
    """A file of a row of `chat_files`."""
    return FileInfo(
        id=shown_id(row.id),
        user_id=shown_id(row.user_id),
        post_id=shown_id(row.post_id),
        channel_id=shown_id(row.channel_id),
        create_at=row.create_at,
        update_at=row.update_at,
        delete_at=row.delete_at,
        name=row.name,
        extension=row.extension,
        size=row.size,
        mime_type=row.mime_type,
        width=row.width,
        height=row.height,
        has_preview_image=row.has_preview_image,
        mini_preview=row.mini_preview,
    )
