"""Consents: what people agreed to, in which version, and how."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import insert, select, update

from manor.identity.credential_tables import consents
from manor.storage import Transaction, new_id


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """Something a person agreed to.

    Args:
        id: Names it.
        consent_type: What it is about, such as `tos`.
        document_version: Which text they agreed to.
        accepted_at: When.
        consent_method: How, such as `web_checkbox`.
        is_active: Whether it is the latest of its type.
    """

    id: UUID
    consent_type: str
    document_version: str
    accepted_at: datetime
    consent_method: str
    is_active: bool


_COLUMNS = [consents.c[name] for name in Consent.__struct_fields__]


def record_consent(
    transaction: Transaction, user_id: UUID, *, consent_type: str, document_version: str, method: str
) -> Consent:
    """Keep that somebody agreed; their older consents of the type are history from now on."""
    consent = Consent(
        id=new_id(),
        consent_type=consent_type,
        document_version=document_version,
        accepted_at=transaction.now,
        consent_method=method,
        is_active=True,
    )
    older = (consents.c.user_id == user_id) & (consents.c.consent_type == consent_type)
    transaction.connection.execute(update(consents).where(older).values(is_active=False))
    transaction.connection.execute(insert(consents).values(msgspec.structs.asdict(consent) | {"user_id": user_id}))
    return consent


def list_consents(transaction: Transaction, user_id: UUID) -> list[Consent]:
    """All that a person agreed to, the newest first."""
    query = select(*_COLUMNS).where(consents.c.user_id == user_id).order_by(consents.c.id.desc())
    return [Consent(**row) for row in transaction.connection.execute(query).mappings()]
