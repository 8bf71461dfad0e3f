"""The step that made the tables of what lets people in, written out: `credential_tables.py` goes on to change."""

from __future__ import annotations

from sqlalchemy import Connection

from manor.storage import Migration

_TABLES = """
CREATE TABLE identity_credentials (
    id BLOB NOT NULL PRIMARY KEY, kind VARCHAR NOT NULL, hash BLOB NOT NULL UNIQUE, prefix VARCHAR NOT NULL,
    user_id BLOB, session_id BLOB, resource BLOB, scopes JSON NOT NULL, label VARCHAR NOT NULL,
    created_at BIGINT NOT NULL, expires_at BIGINT, last_used_at BIGINT, use_count INTEGER NOT NULL,
    revoked_at BIGINT, meta JSON NOT NULL
);
CREATE INDEX identity_credentials_user ON identity_credentials (user_id, kind);
CREATE INDEX identity_credentials_session ON identity_credentials (session_id);
CREATE INDEX identity_credentials_resource ON identity_credentials (resource);
CREATE INDEX identity_credentials_kind ON identity_credentials (kind);
CREATE TABLE identity_sessions (
    id BLOB NOT NULL PRIMARY KEY, user_id BLOB NOT NULL, kind VARCHAR NOT NULL, created_at BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, ends_by BIGINT NOT NULL, life_seconds INTEGER NOT NULL,
    ip VARCHAR NOT NULL, user_agent VARCHAR NOT NULL, ended_at BIGINT
);
CREATE INDEX identity_sessions_user ON identity_sessions (user_id, kind);
CREATE INDEX identity_sessions_expires ON identity_sessions (expires_at);
CREATE TABLE identity_links (
    id BLOB NOT NULL PRIMARY KEY, purpose VARCHAR NOT NULL, hash BLOB NOT NULL UNIQUE, user_id BLOB,
    email VARCHAR NOT NULL, email_folded VARCHAR NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL,
    used_at BIGINT, meta JSON NOT NULL
);
CREATE INDEX identity_links_email ON identity_links (email_folded, purpose);
CREATE INDEX identity_links_user ON identity_links (user_id);
CREATE INDEX identity_links_expires ON identity_links (expires_at);
CREATE TABLE identity_failures (
    id INTEGER NOT NULL PRIMARY KEY, account BLOB NOT NULL, address VARCHAR NOT NULL, failed_at BIGINT NOT NULL,
    is_cleared BOOLEAN NOT NULL
);
CREATE INDEX identity_failures_account ON identity_failures (account, failed_at);
CREATE INDEX identity_failures_address ON identity_failures (address, failed_at);
CREATE INDEX identity_failures_time ON identity_failures (failed_at);
CREATE TABLE identity_familiar (
    account BLOB NOT NULL, address VARCHAR NOT NULL, used_at BIGINT NOT NULL, PRIMARY KEY (account, address)
);
CREATE INDEX identity_familiar_time ON identity_familiar (used_at);
CREATE TABLE identity_totp (
    user_id BLOB NOT NULL PRIMARY KEY, secret VARCHAR NOT NULL, created_at BIGINT NOT NULL, activated_at BIGINT,
    last_step INTEGER NOT NULL
);
CREATE TABLE identity_recovery_codes (
    user_id BLOB NOT NULL, hash BLOB NOT NULL, used_at BIGINT, PRIMARY KEY (user_id, hash)
);
CREATE TABLE identity_consents (
    id BLOB NOT NULL PRIMARY KEY, user_id BLOB NOT NULL, consent_type VARCHAR NOT NULL,
    document_version VARCHAR NOT NULL, consent_method VARCHAR NOT NULL, accepted_at BIGINT NOT NULL,
    is_active BOOLEAN NOT NULL
);
CREATE INDEX identity_consents_user ON identity_consents (user_id, consent_type);
"""


def _make(connection: Connection) -> None:
    for statement in _TABLES.split(";\n"):
        if statement.strip():
            connection.exec_driver_sql(statement)


CREDENTIALS = Migration("0002_credentials", _make)
