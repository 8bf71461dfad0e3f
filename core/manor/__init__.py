"""Manor: one self-hosted daemon for notifications, chat, live video and the server itself.

What this module exports is the public API; what is not here is not promised. Names are imported when they are first
used, so that `import manor` stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from manor.auth import ADMIN as ADMIN
    from manor.auth import PUBLIC as PUBLIC
    from manor.auth import Access as Access
    from manor.auth import Authenticator as Authenticator
    from manor.auth import Basic as Basic
    from manor.auth import Bearer as Bearer
    from manor.auth import BearerAlone as BearerAlone
    from manor.auth import Cookie as Cookie
    from manor.auth import Header as Header
    from manor.auth import Kinds as Kinds
    from manor.auth import Presented as Presented
    from manor.auth import Principal as Principal
    from manor.auth import Query as Query
    from manor.auth import Scope as Scope
    from manor.auth import is_basic as is_basic
    from manor.auth import read_base64 as read_base64
    from manor.auth import read_basic as read_basic
    from manor.blobs import BadKey as BadKey
    from manor.blobs import BadRange as BadRange
    from manor.blobs import Blob as Blob
    from manor.blobs import BlobPage as BlobPage
    from manor.blobs import Blobs as Blobs
    from manor.blobs import BlobsFailed as BlobsFailed
    from manor.blobs import Bucket as Bucket
    from manor.blobs import LocalBlobs as LocalBlobs
    from manor.blobs import NoSuchBlob as NoSuchBlob
    from manor.blobs import OpenBlob as OpenBlob
    from manor.blobs import S3Blobs as S3Blobs
    from manor.blobs import check_key as check_key
    from manor.clock import Clock as Clock
    from manor.clock import SystemClock as SystemClock
    from manor.config import TcpBind as TcpBind
    from manor.config import decode_texts as decode_texts
    from manor.config import parse_bind as parse_bind
    from manor.dialects import BASIC_RESPONSE as BASIC_RESPONSE
    from manor.dialects import DETAIL as DETAIL
    from manor.dialects import MATTERMOST as MATTERMOST
    from manor.dialects import PAGE as PAGE
    from manor.dialects import SELFPRIVACY as SELFPRIVACY
    from manor.dialects import Dialect as Dialect
    from manor.dialects import ErrorContext as ErrorContext
    from manor.dialects import Rendered as Rendered
    from manor.errors import AdminFault as AdminFault
    from manor.errors import BadRequest as BadRequest
    from manor.errors import Conflict as Conflict
    from manor.errors import FieldProblem as FieldProblem
    from manor.errors import Forbidden as Forbidden
    from manor.errors import ManorError as ManorError
    from manor.errors import NotFound as NotFound
    from manor.errors import Problem as Problem
    from manor.errors import Refused as Refused
    from manor.errors import StorageFull as StorageFull
    from manor.errors import TooLarge as TooLarge
    from manor.errors import TooManyRequests as TooManyRequests
    from manor.errors import Unauthorized as Unauthorized
    from manor.errors import Unavailable as Unavailable
    from manor.errors import Unprocessable as Unprocessable
    from manor.errors import UnsupportedMediaType as UnsupportedMediaType
    from manor.events import Delivery as Delivery
    from manor.events import Event as Event
    from manor.events import Job as Job
    from manor.events import Subscription as Subscription
    from manor.hookspecs import hookimpl as hookimpl
    from manor.identity import SYSTEM_ID as SYSTEM_ID
    from manor.identity import Consent as Consent
    from manor.identity import Credential as Credential
    from manor.identity import CredentialRevoked as CredentialRevoked
    from manor.identity import Disabled as Disabled
    from manor.identity import Identity as Identity
    from manor.identity import Invite as Invite
    from manor.identity import Link as Link
    from manor.identity import LinkExpired as LinkExpired
    from manor.identity import LinkUnknown as LinkUnknown
    from manor.identity import LinkUsed as LinkUsed
    from manor.identity import Login as Login
    from manor.identity import Member as Member
    from manor.identity import MemberChanged as MemberChanged
    from manor.identity import MfaRequired as MfaRequired
    from manor.identity import NewCredential as NewCredential
    from manor.identity import NewUser as NewUser
    from manor.identity import NotVerified as NotVerified
    from manor.identity import Session as Session
    from manor.identity import SessionEnded as SessionEnded
    from manor.identity import Team as Team
    from manor.identity import TeamChanged as TeamChanged
    from manor.identity import TeamDeleted as TeamDeleted
    from manor.identity import TeamRole as TeamRole
    from manor.identity import TotpSetup as TotpSetup
    from manor.identity import User as User
    from manor.identity import UserChanged as UserChanged
    from manor.identity import UserErased as UserErased
    from manor.identity import WrongCode as WrongCode
    from manor.identity import WrongCredentials as WrongCredentials
    from manor.identity import accept_invite as accept_invite
    from manor.identity import account_of as account_of
    from manor.identity import activate_totp as activate_totp
    from manor.identity import add_member as add_member
    from manor.identity import add_user as add_user
    from manor.identity import begin_totp as begin_totp
    from manor.identity import cancel_invite as cancel_invite
    from manor.identity import change_credential as change_credential
    from manor.identity import check_code as check_code
    from manor.identity import check_email as check_email
    from manor.identity import check_free as check_free
    from manor.identity import check_lockout as check_lockout
    from manor.identity import check_own_password as check_own_password
    from manor.identity import check_password as check_password
    from manor.identity import check_password_of as check_password_of
    from manor.identity import check_totp as check_totp
    from manor.identity import check_username as check_username
    from manor.identity import clear_lockout as clear_lockout
    from manor.identity import count_members as count_members
    from manor.identity import count_recovery_codes as count_recovery_codes
    from manor.identity import count_seats as count_seats
    from manor.identity import create_team as create_team
    from manor.identity import delete_credential as delete_credential
    from manor.identity import delete_team as delete_team
    from manor.identity import disable_totp as disable_totp
    from manor.identity import end_session as end_session
    from manor.identity import end_sessions as end_sessions
    from manor.identity import find_by_secret as find_by_secret
    from manor.identity import find_credential as find_credential
    from manor.identity import find_invite as find_invite
    from manor.identity import find_link as find_link
    from manor.identity import find_login as find_login
    from manor.identity import find_member as find_member
    from manor.identity import find_password_hash as find_password_hash
    from manor.identity import find_session as find_session
    from manor.identity import find_team as find_team
    from manor.identity import find_user as find_user
    from manor.identity import fold_email as fold_email
    from manor.identity import has_totp as has_totp
    from manor.identity import have_totp as have_totp
    from manor.identity import invite as invite
    from manor.identity import invite_to_server as invite_to_server
    from manor.identity import invited_address as invited_address
    from manor.identity import is_invited as is_invited
    from manor.identity import issue as issue
    from manor.identity import link_login as link_login
    from manor.identity import list_all_teams as list_all_teams
    from manor.identity import list_consents as list_consents
    from manor.identity import list_credentials as list_credentials
    from manor.identity import list_logins as list_logins
    from manor.identity import list_members as list_members
    from manor.identity import list_sessions as list_sessions
    from manor.identity import list_teams as list_teams
    from manor.identity import list_users as list_users
    from manor.identity import make_link as make_link
    from manor.identity import mark_verified as mark_verified
    from manor.identity import members_table as members_table
    from manor.identity import new_secret as new_secret
    from manor.identity import note_failure as note_failure
    from manor.identity import note_login as note_login
    from manor.identity import note_success as note_success
    from manor.identity import note_terms as note_terms
    from manor.identity import open_session as open_session
    from manor.identity import pending_invites as pending_invites
    from manor.identity import pending_totp as pending_totp
    from manor.identity import record_consent as record_consent
    from manor.identity import remove_member as remove_member
    from manor.identity import renew_recovery_codes as renew_recovery_codes
    from manor.identity import resend_invite as resend_invite
    from manor.identity import revoke as revoke
    from manor.identity import revoke_all as revoke_all
    from manor.identity import roles_of as roles_of
    from manor.identity import set_active as set_active
    from manor.identity import set_admin as set_admin
    from manor.identity import set_password_hash as set_password_hash
    from manor.identity import set_role as set_role
    from manor.identity import set_team_active as set_team_active
    from manor.identity import spend_server_invites as spend_server_invites
    from manor.identity import teams_table as teams_table
    from manor.identity import touch_session as touch_session
    from manor.identity import unlink_login as unlink_login
    from manor.identity import update_team as update_team
    from manor.identity import update_user as update_user
    from manor.identity import use_link as use_link
    from manor.identity import users_table as users_table
    from manor.identity import void_links as void_links
    from manor.incoming import BrokenOff as BrokenOff
    from manor.incoming import Incoming as Incoming
    from manor.limits import UNLIMITED as UNLIMITED
    from manor.limits import Address as Address
    from manor.limits import RateLimiter as RateLimiter
    from manor.live import Channel as Channel
    from manor.live import Entry as Entry
    from manor.live import LiveService as LiveService
    from manor.live import Voice as Voice
    from manor.logs import Open as Open
    from manor.logs import log_to_stderr as log_to_stderr
    from manor.mail import Mail as Mail
    from manor.mail import Message as Message
    from manor.mail import server_invite_letter as server_invite_letter
    from manor.mail import team_invite_letter as team_invite_letter
    from manor.metrics import Metrics as Metrics
    from manor.outbox import GiveUp as GiveUp
    from manor.outbox import JobHandler as JobHandler
    from manor.outbox import Kept as Kept
    from manor.outbox import NotYet as NotYet
    from manor.outbox import delivery_attempt as delivery_attempt
    from manor.outbox import delivery_number as delivery_number
    from manor.outgoing import Outgoing as Outgoing
    from manor.outgoing import OutgoingFailed as OutgoingFailed
    from manor.outgoing import OutgoingRefused as OutgoingRefused
    from manor.outgoing import Response as Response
    from manor.outgoing import new_signing_secret as new_signing_secret
    from manor.outgoing import signed_headers as signed_headers
    from manor.pages import PAGES as PAGES
    from manor.pages import Pages as Pages
    from manor.pages import local_path as local_path
    from manor.pages import page_api as page_api
    from manor.pages import redirect as redirect
    from manor.pages import troubles_of as troubles_of
    from manor.parts import InParts as InParts
    from manor.parts import Lifespan as Lifespan
    from manor.parts import Part as Part
    from manor.plugins import Command as Command
    from manor.plugins import HealthCheck as HealthCheck
    from manor.plugins import NoConfig as NoConfig
    from manor.plugins import PersonalData as PersonalData
    from manor.plugins import PluginContext as PluginContext
    from manor.plugins import ScopeDeclaration as ScopeDeclaration
    from manor.plugins import TierLimit as TierLimit
    from manor.routing import GOING_AWAY as GOING_AWAY
    from manor.routing import TOO_SLOW as TOO_SLOW
    from manor.routing import Api as Api
    from manor.routing import Closing as Closing
    from manor.routing import Conversation as Conversation
    from manor.routing import ConversationOver as ConversationOver
    from manor.routing import Door as Door
    from manor.routing import Head as Head
    from manor.routing import Headers as Headers
    from manor.routing import Later as Later
    from manor.routing import Live as Live
    from manor.routing import Outlet as Outlet
    from manor.routing import Rate as Rate
    from manor.routing import RateHeaders as RateHeaders
    from manor.routing import Reply as Reply
    from manor.routing import Request as Request
    from manor.routing import Route as Route
    from manor.routing import Source as Source
    from manor.routing import Stream as Stream
    from manor.routing import Upgrade as Upgrade
    from manor.routing import WebSocket as WebSocket
    from manor.routing import Wire as Wire
    from manor.routing import Write as Write
    from manor.storage import Id as Id
    from manor.storage import Joint as Joint
    from manor.storage import Migration as Migration
    from manor.storage import Prepared as Prepared
    from manor.storage import PreparedRows as PreparedRows
    from manor.storage import Storage as Storage
    from manor.storage import Time as Time
    from manor.storage import Transaction as Transaction
    from manor.storage import from_chat_id as from_chat_id
    from manor.storage import from_microseconds as from_microseconds
    from manor.storage import new_id as new_id
    from manor.storage import new_ids as new_ids
    from manor.storage import open_copy as open_copy
    from manor.storage import parse_id as parse_id
    from manor.storage import remove_copies as remove_copies
    from manor.storage import to_chat_id as to_chat_id
    from manor.storage import to_microseconds as to_microseconds
    from manor.sweeping import Sweep as Sweep
    from manor.tasks import BackgroundTask as BackgroundTask
    from manor.tasks import contained as contained

_EXPORTS = {
    "ADMIN": "manor.auth",
    "Access": "manor.auth",
    "Authenticator": "manor.auth",
    "Basic": "manor.auth",
    "Bearer": "manor.auth",
    "BearerAlone": "manor.auth",
    "Cookie": "manor.auth",
    "Header": "manor.auth",
    "Kinds": "manor.auth",
    "PUBLIC": "manor.auth",
    "Presented": "manor.auth",
    "Principal": "manor.auth",
    "Query": "manor.auth",
    "Scope": "manor.auth",
    "is_basic": "manor.auth",
    "read_base64": "manor.auth",
    "read_basic": "manor.auth",
    "BadKey": "manor.blobs",
    "BadRange": "manor.blobs",
    "Blob": "manor.blobs",
    "BlobPage": "manor.blobs",
    "Blobs": "manor.blobs",
    "BlobsFailed": "manor.blobs",
    "Bucket": "manor.blobs",
    "LocalBlobs": "manor.blobs",
    "NoSuchBlob": "manor.blobs",
    "OpenBlob": "manor.blobs",
    "S3Blobs": "manor.blobs",
    "check_key": "manor.blobs",
    "Clock": "manor.clock",
    "SystemClock": "manor.clock",
    "TcpBind": "manor.config",
    "decode_texts": "manor.config",
    "parse_bind": "manor.config",
    "BASIC_RESPONSE": "manor.dialects",
    "DETAIL": "manor.dialects",
    "Dialect": "manor.dialects",
    "ErrorContext": "manor.dialects",
    "MATTERMOST": "manor.dialects",
    "PAGE": "manor.dialects",
    "Rendered": "manor.dialects",
    "SELFPRIVACY": "manor.dialects",
    "AdminFault": "manor.errors",
    "BadRequest": "manor.errors",
    "Conflict": "manor.errors",
    "FieldProblem": "manor.errors",
    "Forbidden": "manor.errors",
    "ManorError": "manor.errors",
    "NotFound": "manor.errors",
    "Problem": "manor.errors",
    "Refused": "manor.errors",
    "StorageFull": "manor.errors",
    "TooLarge": "manor.errors",
    "TooManyRequests": "manor.errors",
    "Unauthorized": "manor.errors",
    "Unavailable": "manor.errors",
    "Unprocessable": "manor.errors",
    "UnsupportedMediaType": "manor.errors",
    "Delivery": "manor.events",
    "Event": "manor.events",
    "Job": "manor.events",
    "Subscription": "manor.events",
    "hookimpl": "manor.hookspecs",
    "Consent": "manor.identity",
    "Credential": "manor.identity",
    "CredentialRevoked": "manor.identity",
    "Disabled": "manor.identity",
    "Identity": "manor.identity",
    "Invite": "manor.identity",
    "Link": "manor.identity",
    "LinkExpired": "manor.identity",
    "LinkUnknown": "manor.identity",
    "LinkUsed": "manor.identity",
    "Login": "manor.identity",
    "Member": "manor.identity",
    "MemberChanged": "manor.identity",
    "MfaRequired": "manor.identity",
    "NewCredential": "manor.identity",
    "NewUser": "manor.identity",
    "NotVerified": "manor.identity",
    "SYSTEM_ID": "manor.identity",
    "Session": "manor.identity",
    "SessionEnded": "manor.identity",
    "Team": "manor.identity",
    "TeamChanged": "manor.identity",
    "TeamDeleted": "manor.identity",
    "TeamRole": "manor.identity",
    "TotpSetup": "manor.identity",
    "User": "manor.identity",
    "UserChanged": "manor.identity",
    "UserErased": "manor.identity",
    "WrongCode": "manor.identity",
    "WrongCredentials": "manor.identity",
    "accept_invite": "manor.identity",
    "account_of": "manor.identity",
    "activate_totp": "manor.identity",
    "add_member": "manor.identity",
    "add_user": "manor.identity",
    "begin_totp": "manor.identity",
    "cancel_invite": "manor.identity",
    "change_credential": "manor.identity",
    "check_code": "manor.identity",
    "check_email": "manor.identity",
    "check_free": "manor.identity",
    "check_lockout": "manor.identity",
    "check_own_password": "manor.identity",
    "check_password": "manor.identity",
    "check_password_of": "manor.identity",
    "check_totp": "manor.identity",
    "check_username": "manor.identity",
    "clear_lockout": "manor.identity",
    "count_members": "manor.identity",
    "count_recovery_codes": "manor.identity",
    "count_seats": "manor.identity",
    "create_team": "manor.identity",
    "delete_credential": "manor.identity",
    "delete_team": "manor.identity",
    "disable_totp": "manor.identity",
    "end_session": "manor.identity",
    "end_sessions": "manor.identity",
    "find_by_secret": "manor.identity",
    "find_credential": "manor.identity",
    "find_invite": "manor.identity",
    "find_link": "manor.identity",
    "find_login": "manor.identity",
    "find_member": "manor.identity",
    "find_password_hash": "manor.identity",
    "find_session": "manor.identity",
    "find_team": "manor.identity",
    "find_user": "manor.identity",
    "fold_email": "manor.identity",
    "has_totp": "manor.identity",
    "have_totp": "manor.identity",
    "invite": "manor.identity",
    "invite_to_server": "manor.identity",
    "invited_address": "manor.identity",
    "is_invited": "manor.identity",
    "issue": "manor.identity",
    "link_login": "manor.identity",
    "list_all_teams": "manor.identity",
    "list_consents": "manor.identity",
    "list_credentials": "manor.identity",
    "list_logins": "manor.identity",
    "list_members": "manor.identity",
    "list_sessions": "manor.identity",
    "list_teams": "manor.identity",
    "list_users": "manor.identity",
    "make_link": "manor.identity",
    "mark_verified": "manor.identity",
    "members_table": "manor.identity",
    "new_secret": "manor.identity",
    "note_failure": "manor.identity",
    "note_login": "manor.identity",
    "note_success": "manor.identity",
    "note_terms": "manor.identity",
    "open_session": "manor.identity",
    "pending_invites": "manor.identity",
    "pending_totp": "manor.identity",
    "record_consent": "manor.identity",
    "remove_member": "manor.identity",
    "renew_recovery_codes": "manor.identity",
    "resend_invite": "manor.identity",
    "revoke": "manor.identity",
    "revoke_all": "manor.identity",
    "roles_of": "manor.identity",
    "set_active": "manor.identity",
    "set_admin": "manor.identity",
    "set_password_hash": "manor.identity",
    "set_role": "manor.identity",
    "set_team_active": "manor.identity",
    "spend_server_invites": "manor.identity",
    "teams_table": "manor.identity",
    "touch_session": "manor.identity",
    "unlink_login": "manor.identity",
    "update_team": "manor.identity",
    "update_user": "manor.identity",
    "use_link": "manor.identity",
    "users_table": "manor.identity",
    "void_links": "manor.identity",
    "BrokenOff": "manor.incoming",
    "Incoming": "manor.incoming",
    "Address": "manor.limits",
    "RateLimiter": "manor.limits",
    "UNLIMITED": "manor.limits",
    "Channel": "manor.live",
    "Entry": "manor.live",
    "LiveService": "manor.live",
    "Voice": "manor.live",
    "Open": "manor.logs",
    "log_to_stderr": "manor.logs",
    "Mail": "manor.mail",
    "Message": "manor.mail",
    "server_invite_letter": "manor.mail",
    "team_invite_letter": "manor.mail",
    "Metrics": "manor.metrics",
    "GiveUp": "manor.outbox",
    "JobHandler": "manor.outbox",
    "Kept": "manor.outbox",
    "NotYet": "manor.outbox",
    "delivery_attempt": "manor.outbox",
    "delivery_number": "manor.outbox",
    "Outgoing": "manor.outgoing",
    "OutgoingFailed": "manor.outgoing",
    "OutgoingRefused": "manor.outgoing",
    "Response": "manor.outgoing",
    "new_signing_secret": "manor.outgoing",
    "signed_headers": "manor.outgoing",
    "PAGES": "manor.pages",
    "Pages": "manor.pages",
    "local_path": "manor.pages",
    "page_api": "manor.pages",
    "redirect": "manor.pages",
    "troubles_of": "manor.pages",
    "InParts": "manor.parts",
    "Lifespan": "manor.parts",
    "Part": "manor.parts",
    "Command": "manor.plugins",
    "HealthCheck": "manor.plugins",
    "NoConfig": "manor.plugins",
    "PersonalData": "manor.plugins",
    "PluginContext": "manor.plugins",
    "ScopeDeclaration": "manor.plugins",
    "TierLimit": "manor.plugins",
    "Api": "manor.routing",
    "Closing": "manor.routing",
    "Conversation": "manor.routing",
    "ConversationOver": "manor.routing",
    "Door": "manor.routing",
    "GOING_AWAY": "manor.routing",
    "Head": "manor.routing",
    "Headers": "manor.routing",
    "Later": "manor.routing",
    "Live": "manor.routing",
    "Outlet": "manor.routing",
    "Rate": "manor.routing",
    "RateHeaders": "manor.routing",
    "Reply": "manor.routing",
    "Request": "manor.routing",
    "Route": "manor.routing",
    "Source": "manor.routing",
    "Stream": "manor.routing",
    "TOO_SLOW": "manor.routing",
    "Upgrade": "manor.routing",
    "WebSocket": "manor.routing",
    "Wire": "manor.routing",
    "Write": "manor.routing",
    "Id": "manor.storage",
    "Joint": "manor.storage",
    "Migration": "manor.storage",
    "Prepared": "manor.storage",
    "PreparedRows": "manor.storage",
    "Storage": "manor.storage",
    "Time": "manor.storage",
    "Transaction": "manor.storage",
    "from_chat_id": "manor.storage",
    "from_microseconds": "manor.storage",
    "new_id": "manor.storage",
    "new_ids": "manor.storage",
    "open_copy": "manor.storage",
    "parse_id": "manor.storage",
    "remove_copies": "manor.storage",
    "to_chat_id": "manor.storage",
    "to_microseconds": "manor.storage",
    "Sweep": "manor.sweeping",
    "BackgroundTask": "manor.tasks",
    "contained": "manor.tasks",
}

__all__ = sorted(_EXPORTS)  # noqa: PLE0605 - a list, made of the table above


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)
