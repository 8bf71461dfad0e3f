"""People, teams and credentials: the tables and functions that every part of the house may use."""

from manor.identity.commands import AddUser, UserAdded, UserCommands
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
from manor.identity.migrations import MIGRATIONS
from manor.identity.names import check_email, check_username, fold_email, fold_username
from manor.identity.passwords import Hasher, check_password
from manor.identity.service import Identity
from manor.identity.tables import SYSTEM_ID
from manor.identity.users import NewUser, User, add_user, check_free, find_user, list_users

__all__ = [
    "EVENTS",
    "MIGRATIONS",
    "SYSTEM_ID",
    "AddUser",
    "CredentialRevoked",
    "Hasher",
    "Identity",
    "MemberChanged",
    "NewUser",
    "SessionEnded",
    "TeamChanged",
    "TeamDeleted",
    "User",
    "UserAdded",
    "UserChanged",
    "UserCommands",
    "UserErased",
    "add_user",
    "check_email",
    "check_free",
    "check_password",
    "check_username",
    "find_user",
    "fold_email",
    "fold_username",
    "list_users",
]
