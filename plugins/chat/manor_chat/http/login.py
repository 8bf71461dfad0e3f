"""Signing in and out, over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from manor import PUBLIC, Reply, Request, Route, Transaction, end_session, end_sessions
from manor_chat import faults
from manor_chat.domain.people_rules import DEVICE
from manor_chat.http.answers import STATUS_OK, answer
from manor_chat.http.api import COOKIE, IN_PERSON, OAUTH, SESSION, SIGNED_IN, ChatCookie, operation
from manor_chat.http.params import id_member, user_param
from manor_chat.oauth.granting import sign_out
from manor_chat.parts import Shared
from manor_chat.people.cookies import Cookies, is_page
from manor_chat.people.profiles import existing_person
from manor_chat.people.sessions import SessionShown, existing_session, keep_device, show_sessions
from manor_chat.people.signing_in import LoginBody, SigningIn
from manor_chat.rights import Rights
from manor_chat.wire.people import UserShown

_COOKIE = ChatCookie(COOKIE)


class SessionBody(msgspec.Struct, frozen=True):
    """Which session."""

    session_id: str = ""


class DeviceBody(msgspec.Struct, frozen=True):
    """Which device."""

    device_id: str = ""


class LoginTypeBody(msgspec.Struct, frozen=True):
    """Who is about to sign in."""

    login_id: str = ""
    device_id: str = ""


class LoginType(msgspec.Struct, frozen=True):
    """How they do: everybody has a password here."""

    auth_service: str = ""
    is_deactivated: bool = False


class LoginHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared, cookies: Cookies) -> None:
        self._shared = shared
        self._cookies = cookies
        self._signing_in = SigningIn(shared)

    async def sign_in(self, request: Request[LoginBody]) -> Reply:
        """Sign in: the token is in the header `Token`, and in a cookie for scripts of pages."""
        head = request.head
        signed_in = await self._signing_in.sign_in(request.body, head)
        headers = {"Token": signed_in.token}
        if is_page(head):
            headers["Set-Cookie"] = self._given(request, signed_in.token, signed_in.person.id)
        return answer(signed_in.shown, headers=headers)

    async def sign_out(self, request: Request) -> Reply:
        """End the session that asks, or a program's token; somebody without one is as well off."""
        ended = [each.session_id for each in request.principals if each.kind == SESSION]
        tokens = [each.credential_id for each in request.principals if each.kind == OAUTH]

        def work(transaction: Transaction) -> None:
            for session_id in ended:
                if session_id is not None and end_session(transaction, session_id):
                    who = str(request.user_id)
                    self._shared.context.audit.record(transaction, "chat.signed_out", actor=who, target=who)
            for credential_id in tokens:
                if credential_id is not None:
                    sign_out(transaction, credential_id)

        if ended or tokens:
            await self._shared.storage.write(work)
        if _COOKIE.find(request.head) is None and not is_page(request.head):
            return STATUS_OK
        return answer({"status": "OK"}, headers={"Set-Cookie": self._cookies.cleared(request.head)})

    async def login_type(self, request: Request[LoginTypeBody]) -> LoginType:
        """How somebody signs in; the same for everybody, whether they are known or not."""
        return LoginType()

    async def sessions(self, request: Request) -> list[SessionShown]:
        """Somebody's sessions."""
        user_id = user_param(request)

        def work(transaction: Transaction, rights: Rights) -> list[SessionShown]:
            person = existing_person(transaction, user_id)
            rights.require_self(user_id)
            return show_sessions(transaction, person)

        return await self._shared.read(request, work)

    async def revoke_session(self, request: Request[SessionBody]) -> Reply:
        """End one of somebody's sessions."""
        user_id = user_param(request)
        session_id = id_member(request.body.session_id, "session_id")

        def work(transaction: Transaction, rights: Rights) -> None:
            existing_person(transaction, user_id)
            rights.require_self(user_id)
            existing_session(transaction, session_id, user_id)
            end_session(transaction, session_id)
            self._audit(transaction, rights, "chat.session_revoked", user_id)

        await self._shared.write(request, work)
        return STATUS_OK

    async def revoke_sessions(self, request: Request) -> Reply:
        """End all of somebody's sessions in chat."""
        user_id = user_param(request)

        def work(transaction: Transaction, rights: Rights) -> None:
            existing_person(transaction, user_id)
            rights.require_self(user_id)
            end_sessions(transaction, user_id, kind=SESSION)
            self._audit(transaction, rights, "chat.sessions_revoked", user_id)

        await self._shared.write(request, work)
        return STATUS_OK

    async def attach_device(self, request: Request[DeviceBody]) -> Reply:
        """Note which device the session is on; a browser's cookies begin their time anew."""
        device_id = request.body.device_id
        if not 0 < len(device_id) <= DEVICE:
            raise faults.bad_body_param("device_id")
        person = request.person
        session_id = None if person is None else person.session_id

        def work(transaction: Transaction, rights: Rights) -> None:
            if session_id is not None:
                keep_device(transaction, session_id, rights.user_id, device_id)

        await self._shared.write(request, work)
        token = _COOKIE.find(request.head)
        if token is None or request.user_id is None:
            return STATUS_OK
        return answer({"status": "OK"}, headers={"Set-Cookie": self._given(request, token, request.user_id)})

    def _given(self, request: Request[Any, Any], token: str, user_id: Any) -> str:
        seconds = int(timedelta(days=self._shared.config.session_days).total_seconds())
        return self._cookies.given(request.head, token, user_id, seconds=seconds)

    def _audit(self, transaction: Transaction, rights: Rights, action: str, user_id: Any) -> None:
        actor, target = str(rights.user_id), str(user_id)
        self._shared.context.audit.record(transaction, action, actor=actor, target=target)


def login_routes(shared: Shared, cookies: Cookies) -> list[Route]:
    """The operations."""
    here, api, users = LoginHandlers(shared, cookies), shared.api, "users"
    user = UserShown
    return [
        operation(api, "POST /users/login", here.sign_in, access=PUBLIC, tag=users, body=LoginBody, returns=user),
        operation(api, "POST /users/login/type", here.login_type, access=PUBLIC, tag=users, body=LoginTypeBody,
                  returns=LoginType),
        operation(api, "POST /users/logout", here.sign_out, access=PUBLIC, tag=users),
        operation(api, "GET /users/{user_id}/sessions", here.sessions, access=SIGNED_IN, tag=users,
                  returns=list[SessionShown]),
        operation(api, "POST /users/{user_id}/sessions/revoke", here.revoke_session, access=IN_PERSON, tag=users,
                  body=SessionBody),
        operation(api, "POST /users/{user_id}/sessions/revoke/all", here.revoke_sessions, access=IN_PERSON, tag=users),
        operation(api, "PUT /users/sessions/device", here.attach_device, access=SIGNED_IN, tag=users, body=DeviceBody),
    ]  # fmt: skip
