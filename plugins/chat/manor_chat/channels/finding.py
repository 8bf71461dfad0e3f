"""Finding channels: by their names, and by some of what they are called."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from uuid import UUID

from manor import Transaction
from manor_chat import faults
from manor_chat.channels.making import require_team
from manor_chat.domain.channel_rules import direct_name
from manor_chat.ids import shown_id
from manor_chat.rights import Rights
from manor_chat.store.channel_lists import (
    Called,
    direct_channels_with,
    joined_names,
    memberships_in,
    visible_names,
)
from manor_chat.store.channels import OPEN, Channel, find_channel_by_name, find_channels

MOST_FOUND = 50
"""As many as people look at."""


def channel_called(
    transaction: Transaction, rights: Rights, team_id: UUID, name: str, *, archived_too: bool
) -> Channel:
    """The channel of a team with this name, or the caller's own channel of people.

    Raises:
        NotFound: 404: there is none, or it is a private one that they are not in.
        Forbidden: 403: it is public, and they are not in the team.
    """
    require_team(rights, team_id)
    channel = find_channel_by_name(transaction, team_id, name) or find_channel_by_name(transaction, None, name)
    if channel is None or (channel.delete_at and not archived_too):
        raise faults.missing_channel_name()
    if not rights.may_read(channel):
        raise faults.no_permission() if channel.type == OPEN else faults.missing_channel_name()
    return channel


def search(transaction: Transaction, rights: Rights, team_id: UUID, term: str) -> list[Channel]:
    """Public channels of a team that are called so, or are for that.

    Raises:
        NotFound: 404: there is no such team.
        Forbidden: 403: they may not list its channels.
    """
    _require_to_list(rights, team_id)
    called = visible_names(transaction, team_id, rights.user_id, public_only=True)
    return _matching(transaction, called, term, purposes=True)


def complete(transaction: Transaction, rights: Rights, team_id: UUID, term: str) -> list[Channel]:
    """Channels of a team that may be named in a post: public ones, and the caller's private ones.

    Raises:
        NotFound: 404: there is no such team.
        Forbidden: 403: they may not list its channels.
    """
    _require_to_list(rights, team_id)
    called = visible_names(transaction, team_id, rights.user_id, public_only=False)
    return _matching(transaction, called, term)


def complete_search(transaction: Transaction, rights: Rights, team_id: UUID, term: str) -> list[Channel]:
    """Channels that the caller may search in: their own of the team, archived ones and those of people among them.

    A direct channel is found by the name of whom it is with.

    Raises:
        NotFound: 404: there is no such team.
        Forbidden: 403: they may not list its channels.
    """
    _require_to_list(rights, team_id)
    called = _matching(transaction, joined_names(transaction, team_id, rights.user_id), term)
    name = term.strip().lower().removeprefix("@")
    own_id = shown_id(rights.user_id)
    direct = direct_channels_with(transaction, rights.user_id, name, alone=direct_name(own_id, own_id))
    return [*called, *direct][:MOST_FOUND]


def require_to_read(transaction: Transaction, rights: Rights, channel_ids: Sequence[UUID]) -> None:
    """See that all these channels are there and may be read.

    Raises:
        NotFound: 404: one is not there.
        Forbidden: 403: one may not be read.
    """
    found = find_channels(transaction, channel_ids)
    if len(found) != len(channel_ids) or not all(rights.is_open(channel) for channel in found.values()):
        raise faults.missing_channel()
    rights.know(memberships_in(transaction, rights.user_id, channel_ids), channel_ids)
    if not all(rights.may_read(channel) for channel in found.values()):
        raise faults.no_permission()


def _require_to_list(rights: Rights, team_id: UUID) -> None:
    require_team(rights, team_id)
    rights.require_in_team("list_team_channels", team_id)


def _matching(
    transaction: Transaction, called: Iterable[Called], term: str, *, purposes: bool = False
) -> list[Channel]:
    """Those with the term in them. Compared here: SQLite knows the two cases of ASCII letters only."""
    wanted = term.strip().casefold()
    matching = (
        each.id
        for each in called
        if wanted in each.display_name.casefold()
        or wanted in each.name
        or (purposes and wanted in each.purpose.casefold())
    )
    ids = list(islice(matching, MOST_FOUND))
    found = find_channels(transaction, ids)
    return [found[each] for each in ids]
