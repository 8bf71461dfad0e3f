"""Custom emoji as the API shows them."""

from __future__ import annotations

import msgspec

from manor_chat.ids import shown_id
from manor_chat.store.emoji import Emoji


class EmojiShown(msgspec.Struct, frozen=True, kw_only=True):
    """An emoji that somebody made."""

    id: str
    create_at: int
    update_at: int
    delete_at: int = 0
    creator_id: str
    name: str


def show_emoji(emoji: Emoji) -> EmojiShown:
    """An emoji as the API shows it."""
    return EmojiShown(
        id=shown_id(emoji.id),
        create_at=emoji.create_at,
        update_at=emoji.update_at,
        creator_id=shown_id(emoji.creator_id),
        name=emoji.name,
    )
