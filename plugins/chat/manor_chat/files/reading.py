"""Who may have a file."""

from __future__ import annotations

from uuid import UUID

from manor import Transaction
from manor_chat import faults
from manor_chat.rights import Rights
from manor_chat.store.files import File, find_file


def readable_file(transaction: Transaction, rights: Rights, file_id: UUID) -> File:
    """The file with this id: in a post, for whoever may read the channel; before that, for who uploaded it.

    Raises:
        NotFound: 404: there is none.
        Forbidden: 403: it is not for them.
    """
    file = find_file(transaction, file_id)
    if file is None:
        raise faults.missing_file()
    if file.post_id is not None:
        rights.readable_channel(file.channel_id)
    elif file.user_id != rights.user_id and not rights.may("manage_system"):
        raise faults.no_permission()
    return file
