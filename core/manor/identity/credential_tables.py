"""The tables of what lets people in: credentials, sessions, links, failed attempts, second factors, consents.

No secret stands in them as it was handed out, but for the key of an authenticator app, which has to.
"""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Index, Integer, LargeBinary, String, Table

from manor.identity.tables import metadata
from manor.storage import Id, Time

credentials = Table(
    "identity_credentials",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", String, nullable=False),
    Column("hash", LargeBinary(32), nullable=False, unique=True),
    Column("prefix", String, nullable=False),
    Column("user_id", Id),
    Column("session_id", Id),
    Column("resource", Id),
    Column("scopes", JSON, nullable=False),
    Column("label", String, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("expires_at", Time),
    Column("last_used_at", Time),
    Column("use_count", Integer, nullable=False),
    Column("revoked_at", Time),
    Column("meta", JSON, nullable=False),
    Index("identity_credentials_user", "user_id", "kind"),
    Index("identity_credentials_session", "session_id"),
    Index("identity_credentials_resource", "resource"),
    Index("identity_credentials_kind", "kind"),
)
"""Secrets of every kind, as their SHA-256."""

sessions = Table(
    "identity_sessions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", Id, nullable=False),
    Column("kind", String, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("last_used_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
    Column("ends_by", Time, nullable=False),
    Column("life_seconds", Integer, nullable=False),
    Column("ip", String, nullable=False),
    Column("user_agent", String, nullable=False),
    Column("ended_at", Time),
    Index("identity_sessions_user", "user_id", "kind"),
    Index("identity_sessions_expires", "expires_at"),
)
"""Sign-ins. `expires_at` slides by `life_seconds` with each use, and never past `ends_by`."""

links = Table(
    "identity_links",
    metadata,
    Column("id", Id, primary_key=True),
    Column("purpose", String, nullable=False),
    Column("hash", LargeBinary(32), nullable=False, unique=True),
    Column("user_id", Id),
    Column("email", String, nullable=False),
    Column("email_folded", String, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
    Column("used_at", Time),
    Column("meta", JSON, nullable=False),
    Index("identity_links_email", "email_folded", "purpose"),
    Index("identity_links_user", "user_id"),
    Index("identity_links_expires", "expires_at"),
)
"""Single-use links that were mailed, as the SHA-256 of their token."""

failures = Table(
    "identity_failures",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account", LargeBinary(32), nullable=False),
    Column("address", String, nullable=False),
    Column("failed_at", Time, nullable=False),
    Column("is_cleared", Boolean, nullable=False),
    Index("identity_failures_account", "account", "failed_at"),
    Index("identity_failures_address", "address", "failed_at"),
    Index("identity_failures_time", "failed_at"),
)
"""Failed sign-ins. `account` is a digest; a row that is cleared counts for its address alone."""

familiar = Table(
    "identity_familiar",
    metadata,
    Column("account", LargeBinary(32), primary_key=True),
    Column("address", String, primary_key=True),
    Column("used_at", Time, nullable=False),
    Index("identity_familiar_time", "used_at"),
)
"""Where people signed in successfully: strangers' failures do not lock them out there."""

totp = Table(
    "identity_totp",
    metadata,
    Column("user_id", Id, primary_key=True),
    Column("secret", String, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("activated_at", Time),
    Column("last_step", Integer, nullable=False),
)
"""Authenticator apps; `last_step` is the 30 seconds whose code was used last."""

recovery_codes = Table(
    "identity_recovery_codes",
    metadata,
    Column("user_id", Id, primary_key=True),
    Column("hash", LargeBinary(32), primary_key=True),
    Column("used_at", Time),
)
"""What signs in once when the authenticator app is lost."""

consents = Table(
    "identity_consents",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", Id, nullable=False),
    Column("consent_type", String, nullable=False),
    Column("document_version", String, nullable=False),
    Column("consent_method", String, nullable=False),
    Column("accepted_at", Time, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Index("identity_consents_user", "user_id", "consent_type"),
)
"""What people agreed to, and when."""
