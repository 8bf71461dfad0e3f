"""People, teams and credentials: the tables and functions that every part of the house may use."""

from manor.identity.commands import AddUser, UserAdded, UserCommands
from manor.identity.consents import Consent, list_consents, record_consent
from manor.identity.credentials import (
    Credential,
    NewCredential,
    change_credential,
    delete_credential,
    find_by_secret,
    find_credential,
    issue,
    list_credentials,
    new_secret,
    revoke,
    revoke_all,
)
from manor.identity.events import (
    EVENTS,
    CredentialRevoked,
    MemberChanged,
    SessionEnded,
    TeamChanged,
    TeamDeleted,
    UserChanged,
    UserErased,
)
from manor.identity.links import Link, LinkExpired, LinkUnknown, LinkUsed, find_link, make_link, use_link, void_links
from manor.identity.migrations import MIGRATIONS
from manor.identity.names import check_email, check_username, fold_email, fold_username
from manor.identity.passwords import Hasher, check_password
from manor.identity.service import Identity
from manor.identity.sessions import (
    Session,
    end_session,
    end_sessions,
    find_session,
    list_sessions,
    open_session,
    touch_session,
)
from manor.identity.tables import SYSTEM_ID
from manor.identity.users import NewUser, User, add_user, check_free, find_user, list_users

__all__ = [
    "EVENTS",
    "MIGRATIONS",
    "SYSTEM_ID",
    "AddUser",
    "Consent",
    "Credential",
    "CredentialRevoked",
    "Hasher",
    "Identity",
    "Link",
    "LinkExpired",
    "LinkUnknown",
    "LinkUsed",
    "MemberChanged",
    "NewCredential",
    "NewUser",
    "Session",
    "SessionEnded",
    "TeamChanged",
    "TeamDeleted",
    "User",
    "UserAdded",
    "UserChanged",
    "UserCommands",
    "UserErased",
    "add_user",
    "change_credential",
    "check_email",
    "check_free",
    "check_password",
    "check_username",
    "delete_credential",
    "end_session",
    "end_sessions",
    "find_by_secret",
    "find_credential",
    "find_link",
    "find_session",
    "find_user",
    "fold_email",
    "fold_username",
    "issue",
    "list_consents",
    "list_credentials",
    "list_sessions",
    "list_users",
    "make_link",
    "new_secret",
    "open_session",
    "record_consent",
    "revoke",
    "revoke_all",
    "touch_session",
    "use_link",
    "void_links",
]
