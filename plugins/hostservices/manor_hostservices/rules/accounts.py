"""Names and passwords of the host's accounts."""

from __future__ import annotations

import re

from manor_hostservices.rules.refusing import Rule

LONGEST_NAME = 31
"""`useradd` takes 32; the SelfPrivacy API says less than 32."""

LONGEST_PASSWORD = 512

_NAME = re.compile(r"[a-z_][a-z0-9_]+")

_PREFIXES = ("systemd", "nixbld")

# fmt: off
_RESERVED = frozenset({
    "root", "messagebus", "postfix", "polkituser", "dovecot2", "dovenull", "nginx", "postgres", "prosody",
    "opendkim", "rspamd", "sshd", "selfprivacy-api", "restic", "redis", "pleroma", "ocserv",
    "nextcloud", "memcached", "knot-resolver", "gitea", "bitwarden_rs", "vaultwarden", "acme", "virtualMail",
    "nobody", "manor",
})
# fmt: on
"""Accounts of services that the host has or may get, as the SelfPrivacy REST API 1.2.0 lists them; and Manor's own."""


def is_reserved(name: str) -> bool:
    """Whether a name belongs to the system whatever the host has; this is asked before the name's form is looked at."""
    return name in _RESERVED or name.startswith(_PREFIXES)


def check_account_name(name: str) -> None:
    """Check a name's form: at least two of a to z, 0 to 9 and _, no digit first, at most 31.

    Raises:
        Rule: It is of another form.
    """
    if not _NAME.fullmatch(name):
        raise Rule("username must be alphanumeric")
    if len(name) > LONGEST_NAME:
        raise Rule("username must be less than 32 characters")


def check_password(password: str) -> None:
    """Check that a password can be typed at a prompt: one line, not empty, without control characters.

    Raises:
        Rule: It cannot.
    """
    if not password:
        raise Rule("password must not be empty")
    if len(password.encode()) > LONGEST_PASSWORD:
        raise Rule(f"password must not be longer than {LONGEST_PASSWORD} bytes")
    if not password.isprintable():
        raise Rule("password must be one line without control characters")
