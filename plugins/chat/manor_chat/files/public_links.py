"""Links to files that open without a sign-in: whoever has the link has the file."""

from __future__ import annotations

import base64
import hmac
import secrets
from uuid import UUID

from manor import Transaction
from manor_chat.ids import shown_id
from manor_chat.store.files import find_secret, keep_secret

_NAME = "public_links"


def sign(transaction: Transaction, file_id: UUID) -> str:
    """The mark of a file's link; makes the key that signs them where there is none."""
    return _mark(keep_secret(transaction, _NAME, secrets.token_hex(32)), file_id)


def is_signed(transaction: Transaction, file_id: UUID, mark: str) -> bool:
    """Whether we made this link."""
    key = find_secret(transaction, _NAME)
    return key is not None and hmac.compare_digest(_mark(key, file_id).encode(), mark.encode())


def _mark(key: str, file_id: UUID) -> str:
    digest = hmac.new(bytes.fromhex(key), shown_id(file_id).encode(), "sha256").digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
