"""From a consent to a token: the authorization code, implicit and refresh grants."""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from urllib.parse import urlencode
from uuid import UUID

import msgspec

from manor import (
    BadRequest,
    Credential,
    Forbidden,
    NewCredential,
    NotFound,
    Refused,
    Transaction,
    find_by_secret,
    find_credential,
    find_user,
    issue,
    list_credentials,
    revoke,
)
from manor_chat.domain.pkce import is_challenge, verifies
from manor_chat.http.api import OAUTH
from manor_chat.ids import OAUTH_LETTER, new_token, read_id
from manor_chat.store.oauth import (
    OAuthApp,
    OAuthCode,
    add_code,
    find_app,
    find_code,
    forget_grant,
    grant,
    spend_code,
)
from manor_chat.times import to_milliseconds

CODE_LIFE = timedelta(minutes=10)
TOKEN_LIFE = timedelta(days=30)
REFRESH = "chat_oauth_refresh"
REFRESH_LETTER = "r"
SCOPE = "user"
LONGEST_STATE = 2048

MOST_SIGN_INS = 20
"""How often one program may be let in by one person, on as many devices; with one more the oldest is out."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a program asks somebody for; the members are RFC 6749's and 7636's."""

    response_type: str = ""
    client_id: str = ""
    redirect_uri: str = ""
    state: str = ""
    scope: str = ""
    code_challenge: str = ""
    code_challenge_method: str = ""


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """What a program acts with."""

    access_token: str
    token_type: str = "bearer"  # noqa: S105 - the kind's name
    expires_in: int
    scope: str
    refresh_token: str
    id_token: str = ""

    def __repr__(self) -> str:
        """Without the secrets, whatever log or traceback they land in."""
        return "Tokens(…)"


def fault(what: str, detail: str, kind: type[Refused] = BadRequest) -> Refused:
    """A refusal of OAuth's own, `api.oauth.<what>.app_error`; libraries look for RFC 6749's `error` beside it."""
    error, _, description = detail.partition(": ")
    extra = {"is_oauth": True, "error": error, "error_description": description}
    return kind(detail, code=f"api.oauth.{what}.app_error", extra=extra)


def digest(secret: str) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


# --- Consent -------------------------------------------------------------------------------------------------------


def check_asked(transaction: Transaction, asked: Asked) -> OAuthApp:
    """See that a program may ask this, and say which it is.

    Raises:
        BadRequest: 400: it may not; whoever asks is never led to an address that the program did not name.
        NotFound: 404: there is no such program.
    """
    if asked.response_type not in ("code", "token"):
        raise fault("allow_oauth.bad_response", "invalid_request: bad response_type")
    app_id = read_id(asked.client_id)
    if app_id is None:
        raise fault("allow_oauth.bad_client", "invalid_request: bad client_id")
    app = find_app(transaction, app_id)
    if app is None:
        raise fault("allow_oauth.bad_client", "invalid_request: there is no such client", NotFound)
    if asked.redirect_uri not in app.callback_urls:
        detail = "invalid_request: Supplied redirect_uri did not match registered callback_urls"
        raise fault("allow_oauth.redirect_callback", detail)
    if len(asked.state) > LONGEST_STATE:
        raise fault("allow_oauth.bad_state", "invalid_request: state is too long")
    if asked.code_challenge or asked.code_challenge_method:
        is_known = asked.code_challenge_method == "S256" and is_challenge(asked.code_challenge)
        if not is_known or asked.response_type != "code":
            raise fault("allow_oauth.bad_challenge", "invalid_request: only S256 challenges are taken, with a code")
    return app


def allow(transaction: Transaction, user_id: UUID, asked: Asked) -> str:
    """Let a program act for somebody; where their browser goes on.

    Raises:
        Refused: As `check_asked`.
    """
    app = check_asked(transaction, asked)
    scope = asked.scope or SCOPE
    grant(transaction, user_id, app.id, scope[:256])
    if asked.response_type == "token":
        tokens = _issue(transaction, app, user_id, scope[:256], is_renewed=False)
        return _led(
            asked,
            "#",
            access_token=tokens.access_token,
            token_type="bearer",  # noqa: S106 - the kind's name
            expires_in=str(tokens.expires_in),
            scope=tokens.scope,
        )
    code = new_token()
    kept = OAuthCode(
        hash=digest(code),
        app_id=app.id,
        user_id=user_id,
        redirect_uri=asked.redirect_uri,
        scope=scope[:256],
        code_challenge=asked.code_challenge,
        expires_at=to_milliseconds(transaction.now + CODE_LIFE),
    )
    add_code(transaction, kept)
    return _led(asked, "?", code=code)


def deny(transaction: Transaction, asked: Asked) -> str:
    """Let it not; where the browser goes on.

    Raises:
        Refused: As `check_asked`.
    """
    check_asked(transaction, asked)
    return _led(asked, "#" if asked.response_type == "token" else "?", error="access_denied")


def _led(asked: Asked, mark: str, **members: str) -> str:
    if asked.state:
        members["state"] = asked.state
    joint = "&" if mark in asked.redirect_uri else mark
    return f"{asked.redirect_uri}{joint}{urlencode(members)}"


# --- Tokens --------------------------------------------------------------------------------------------------------


def redeem(transaction: Transaction, app: OAuthApp, code: str, redirect_uri: str, verifier: str) -> Tokens | Refused:
    """Tokens for a code; the refusal where there are none, which the caller raises: what it changed has to stay.

    A code that comes twice was stolen by one of the two: what the first got is revoked (RFC 6749 section 4.1.2).
    """
    found = find_code(transaction, digest(code))
    if found is None or found.app_id != app.id:
        return fault("get_access_token.expired_code", "invalid_grant: Invalid or expired authorization code", Forbidden)
    if found.used_at:
        revoke_tokens(transaction, found.user_id, app.id)
        return fault("get_access_token.expired_code", "invalid_grant: The code was used before", Forbidden)
    spend_code(transaction, found)
    if found.expires_at <= to_milliseconds(transaction.now):
        return fault("get_access_token.expired_code", "invalid_grant: Invalid or expired authorization code", Forbidden)
    if found.redirect_uri != redirect_uri:
        return fault("get_access_token.redirect_uri", "invalid_request: redirect_uri is not that of the code")
    if bool(verifier) != bool(found.code_challenge) or (verifier and not verifies(verifier, found.code_challenge)):
        return fault("get_access_token.pkce", "invalid_grant: code_verifier is not that of the challenge")
    user = find_user(transaction, user_id=found.user_id)
    if user is None or not user.is_active:
        return fault("get_access_token.internal_user", "invalid_grant: the user is not there", NotFound)
    return _issue(transaction, app, found.user_id, found.scope)


def refresh(transaction: Transaction, app: OAuthApp, token: str) -> Tokens:
    """New tokens for a refresh token; the old ones open nothing any more.

    Raises:
        NotFound: 404: there is no such token, or it is another program's.
    """
    known = find_by_secret(transaction, token, kind=REFRESH)
    if known is None or known.resource != app.id or not known.is_usable(transaction.now) or known.user_id is None:
        raise fault("get_access_token.refresh_token", "invalid_grant: Invalid refresh token", NotFound)
    user = find_user(transaction, user_id=known.user_id)
    if user is None or not user.is_active:
        raise fault("get_access_token.refresh_token", "invalid_grant: Invalid refresh token", NotFound)
    _revoke_pair(transaction, known)
    return _issue(transaction, app, known.user_id, " ".join(known.scopes))


def check_client(transaction: Transaction, client_id: str, secret: str) -> OAuthApp:
    """The program that knows its secret.

    Raises:
        BadRequest: 400: there is none of this id.
        Forbidden: 403: that is not its secret.
    """
    app_id = read_id(client_id)
    app = None if app_id is None else find_app(transaction, app_id)
    if app is None:
        raise fault("get_access_token.bad_client_id", "invalid_request: Bad client_id")
    if not secret:
        raise fault("get_access_token.bad_client_secret", "invalid_request: Missing client_secret")
    if not hmac.compare_digest(digest(secret), app.secret_hash):
        raise fault("get_access_token.credentials", "invalid_client: Invalid client credentials", Forbidden)
    return app


def revoke_tokens(transaction: Transaction, user_id: UUID | None, app_id: UUID) -> None:
    """A program's tokens for somebody (None: for everybody) open nothing any more."""
    for kind in (OAUTH, REFRESH):
        for each in list_credentials(transaction, kind=kind, user_id=user_id, resource=app_id):
            revoke(transaction, each.id)


def sign_out(transaction: Transaction, credential_id: UUID) -> None:
    """The token of a program that signs out opens nothing any more, nor does the one that renews it."""
    acting = find_credential(transaction, credential_id)
    if acting is not None and acting.kind == OAUTH:
        revoke(transaction, acting.id)
        renewing = acting.meta.get("refresh")
        if renewing:
            revoke(transaction, UUID(renewing))


def deauthorize(transaction: Transaction, user_id: UUID, app_id: UUID) -> None:
    """Somebody lets a program act for them no more."""
    forget_grant(transaction, user_id, app_id)
    revoke_tokens(transaction, user_id, app_id)


def _issue(transaction: Transaction, app: OAuthApp, user_id: UUID, scope: str, *, is_renewed: bool = True) -> Tokens:
    """Tokens for a program; without one that renews them where that would be told to nobody."""
    access_token, refresh_token, meta = new_token(OAUTH_LETTER), "", {}
    scopes = tuple(scope.split())
    if is_renewed:
        _make_room(transaction, app, user_id)
        refresh_token = new_token(REFRESH_LETTER)
        renewing = NewCredential(kind=REFRESH, user_id=user_id, resource=app.id, scopes=scopes, label=app.name)
        meta = {"refresh": str(issue(transaction, renewing, refresh_token).id)}
    acting = NewCredential(
        kind=OAUTH,
        user_id=user_id,
        resource=app.id,
        scopes=scopes,
        label=app.name,
        expires_at=transaction.now + TOKEN_LIFE,
        meta=meta,
    )
    issue(transaction, acting, access_token)
    return Tokens(
        access_token=access_token,
        expires_in=int(TOKEN_LIFE.total_seconds()),
        scope=scope,
        refresh_token=refresh_token,
    )


def _revoke_pair(transaction: Transaction, renewing: Credential) -> None:
    """A refresh token and what came with it open nothing any more."""
    revoke(transaction, renewing.id)
    acting = list_credentials(transaction, kind=OAUTH, user_id=renewing.user_id, resource=renewing.resource)
    for each in acting:
        if each.meta.get("refresh") == str(renewing.id):
            revoke(transaction, each.id)


def _make_room(transaction: Transaction, app: OAuthApp, user_id: UUID) -> None:
    """Have the oldest tokens open nothing: a program that asks anew at each start would pile them up."""
    theirs = list_credentials(transaction, kind=REFRESH, user_id=user_id, resource=app.id)
    usable = [each for each in theirs if each.is_usable(transaction.now)]
    for each in usable[: max(0, len(usable) - MOST_SIGN_INS + 1)]:
        _revoke_pair(transaction, each)
