"""Who asks: the people, programs, devices and browsers of the authorisation matrix, with good and bad credentials."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Protocol
from urllib.parse import urlencode
from uuid import UUID

from joserfc import jws
from joserfc.jwk import ECKey

from manor import (
    NewCredential,
    NewUser,
    Transaction,
    add_user,
    end_sessions,
    issue,
    make_link,
    new_secret,
    open_session,
)
from manor.commands import Who
from manor.testing import Answer, Client, House, SetClock
from manor.tokens import NewToken
from tests.contracts import access_stream
from tests.people import PASSWORD

MARK = "heliotrope"
"""Stands in all that is Ada's and nobody else's business."""

SCOPES = (
    "publish",
    "subscribe",
    "topics:read",
    "topics:write",
    "messages:write",
    "teams",
    "devices",
    "subscriptions",
    "keys",
)
"""Of API keys."""

KINDS = {
    "access": "ada's session",
    "api_key": "ada's key for everything",
    "device": "a device",
    "web_session": "ada's browser",
    "topic_token": "a token that reads the topic",
    "sse_session": "a stream session, as a bearer token",
    "basic": "a name and a password",
    **access_stream.KINDS,
}
"""An asker for each kind of credential that a plugin declares."""

Headers = dict[str, str]


class Ask(Protocol):
    """Sends one request and gives the whole answer."""

    async def __call__(self, method: str, target: str, headers: Headers, body: bytes) -> Answer:
        """A request as a client sends it; the target holds the query."""
        ...


class People:
    """Makes people and signs them in, by the ways that clients have.

    Args:
        house: An open one with auth in it.
        clock: The house's.
        password_hash: Of `PASSWORD`, made once.
    """

    def __init__(self, house: House, clock: SetClock, password_hash: str) -> None:
        self.house = house
        self.clock = clock
        self.client = Client(house.dispatcher)
        self._password_hash = password_hash
        self._made = 0

    def count(self) -> int:
        """A number that was not given before, for names."""
        self._made += 1
        return self._made

    async def add(self, name: str, *, is_admin: bool = False) -> tuple[UUID, str]:
        """A person whose name and address begin so; gives the id and the e-mail address."""
        number = self.count()
        email = f"{MARK if name == 'ada' else name}{number}@example.org"
        new = NewUser(
            username=f"{name}{number}",
            email=email,
            tier="BUSINESS",
            password_hash=self._password_hash,
            is_admin=is_admin,
            is_verified=True,
        )
        return (await self.house.storage.write(lambda transaction: add_user(transaction, new))).id, email

    async def sign_in(self, email: str) -> dict[str, Any]:
        """What a sign-in is answered."""
        agent = {"User-Agent": f"phone of {email}"}
        sent = {"email": email, "password": PASSWORD}
        answer = done(await self.client.post("/auth/login", json=sent, headers=agent))
        signed_in: dict[str, Any] = answer.json()
        return signed_in

    async def key(self, user_id: UUID, email: str, scopes: Sequence[str], **more: Any) -> tuple[UUID, str]:
        """A key with these scopes, none too, which the API would not make; gives its id and its secret."""
        secret = new_secret("noti_")
        new = NewCredential(kind="api_key", user_id=user_id, scopes=tuple(scopes), label=f"key of {email}", **more)
        return (await self.house.storage.write(lambda transaction: issue(transaction, new, secret))).id, secret

    async def device(self, label: str = "phone", *, expires_in: timedelta | None = None) -> str:
        """A device's token."""
        if expires_in is None:
            made = await self.house.run_command("token.new", NewToken("device", label))
            return str(made.secret)
        secret = new_secret()
        new = NewCredential(kind="device", label=label, scopes=("*",), expires_at=self.clock.now() + expires_in)
        await self.house.storage.write(lambda transaction: issue(transaction, new, secret))
        return secret

    async def browser(self, user_id: UUID, *, life: timedelta = timedelta(days=7)) -> str:
        """What a signed-in browser has in its cookie."""
        secret = new_secret()

        def work(transaction: Transaction) -> None:
            session = open_session(
                transaction, user_id=user_id, kind="web", ip="", user_agent="", life=life, absolute=life
            )
            issue(transaction, NewCredential(kind="web_session", user_id=user_id, session_id=session.id), secret)

        await self.house.storage.write(work)
        return secret

    async def link(self, purpose: str, user_id: UUID, email: str) -> str:
        """The token of a link that was mailed."""

        def work(transaction: Transaction) -> str:
            return make_link(transaction, purpose, email=email, user_id=user_id, life=timedelta(hours=1))[1]

        return await self.house.storage.write(work)


def done(answer: Answer) -> Answer:
    """The answer, which has to be a good one."""
    assert answer.status < 300, (answer.status, answer.text)
    return answer


def bearer(secret: str) -> Headers:
    """A secret where most APIs look for it."""
    return {"Authorization": f"Bearer {secret}"}


def keyed(secret: str) -> Headers:
    """A secret where Notifer's programs put it."""
    return {"X-API-Key": secret}


def in_topic_header(secret: str) -> Headers:
    """A secret where Notifer's programs put a topic's token."""
    return {"X-Topic-Token": secret}


def cookie(secret: str) -> Headers:
    """A secret where browsers put it."""
    return {"Cookie": f"manor_session={secret}"}


async def filled_in(ask: Ask, page: str, headers: Headers, form: dict[str, str]) -> bytes:
    """A form as a browser sends it, after it has opened a page with one; its headers are added to."""
    opened = await ask("GET", page, headers, b"")
    token = re.search(r'name="form_token" value="([^"]*)"', opened.text)
    cookies = [headers.get("Cookie", ""), opened.headers.get("Set-Cookie", "").partition(";")[0]]
    headers |= {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}
    headers["Cookie"] = "; ".join(filter(None, cookies))
    return urlencode({**form, "form_token": token[1] if token else ""}).encode()


async def bygones(people: People) -> dict[str, Headers]:
    """Askers whose time is over. The clock stands later by two hours for it."""
    first, email = await people.add("ada")
    disabled, disabled_email = await people.add("ada")
    expired = await people.sign_in(email)
    in_an_hour = people.clock.now() + timedelta(hours=1)
    _, expired_key = await people.key(first, email, ["*"], expires_at=in_an_hour)
    expired_device = await people.device("expired", expires_in=timedelta(hours=1))
    expired_browser = await people.browser(first, life=timedelta(hours=1))
    people.clock.set(people.clock.now() + timedelta(hours=2))

    ended, fresh = await people.sign_in(email), await people.sign_in(email)
    done(await people.client.post("/auth/logout", headers=bearer(ended["access_token"])))
    revoked_id, revoked_key = await people.key(first, email, ["*"])
    deleted_id, deleted_key = await people.key(first, email, ["*"])
    own = bearer(fresh["access_token"])
    done(await people.client.post(f"/api/keys/{revoked_id}/revoke", headers=own))
    done(await people.client.delete(f"/api/keys/{deleted_id}", headers=own))
    removed, remover = await people.device("removed"), await people.device("remover")
    done(await people.client.delete("/auth/tokens", headers=bearer(remover), json={"token_name": "removed"}))
    ended_browser = await people.browser(first)
    await people.house.storage.write(lambda transaction: end_sessions(transaction, first, kind="web"))

    disabled_session = await people.sign_in(disabled_email)
    _, disabled_key = await people.key(disabled, disabled_email, ["*"])
    disabled_browser = await people.browser(disabled)
    await people.house.run_command("user.disable", Who(disabled_email))
    return await access_stream.stream_bygones(people) | {
        "an expired session": bearer(expired["access_token"]),
        "an expired key": keyed(expired_key),
        "an expired device": bearer(expired_device),
        "an expired browser": cookie(expired_browser),
        "a session that was ended": bearer(ended["access_token"]),
        "a revoked key": keyed(revoked_key),
        "a deleted key": keyed(deleted_key),
        "a removed device": bearer(removed),
        "a browser that signed out": cookie(ended_browser),
        "a disabled person's session": bearer(disabled_session["access_token"]),
        "a disabled person's key": keyed(disabled_key),
        "a disabled person's browser": cookie(disabled_browser),
        "a made-up key": keyed("noti_" + "A" * 43),
        "a made-up token": bearer("A" * 43),
        "a topic token that nobody made": {"X-Topic-Token": "tk_" + "A" * 43},
        "a token that nobody signed": bearer(_unsigned(fresh["access_token"])),
        "a token that another server signed": bearer(_forged(fresh["access_token"])),
        "a name and a password": {
            "Authorization": "Basic " + base64.b64encode(f"{email}:{PASSWORD}".encode()).decode()
        },
    }


def _unsigned(token: str) -> str:
    header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').rstrip(b"=").decode()
    return f"{header}.{token.split('.')[1]}.AAAA"


def _forged(token: str) -> str:
    header, payload, _ = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split("."))
    return jws.serialize_compact(json.loads(header), payload, ECKey.generate_key("P-256"), algorithms=["ES256"])


class Cast:
    """Askers with good credentials, each made when it asks for the first time.

    Args:
        people: Makes them.
        bygone: Askers whose time is over.
    """

    def __init__(self, people: People, bygone: dict[str, Headers]) -> None:
        self.people = people
        self._bygone = bygone
        self._persons: dict[str, tuple[UUID, str]] = {}
        self._sessions: dict[str, dict[str, Any]] = {}
        self._secrets: dict[tuple[str, ...], str] = {}

    async def person(self, name: str) -> tuple[UUID, str]:
        """The id and the e-mail address of `ada`, `bob` or `root`, who administers the server."""
        if name not in self._persons:
            self._persons[name] = await self.people.add(name, is_admin=name == "root")
        return self._persons[name]

    async def session(self, name: str) -> dict[str, Any]:
        """What somebody's sign-in was answered."""
        if name not in self._sessions:
            self._sessions[name] = await self.people.sign_in((await self.person(name))[1])
        return self._sessions[name]

    async def headers(self, asker: str, scope: Sequence[str] = ()) -> Headers:
        """What an asker sends.

        Args:
            asker: By name, as in the table's columns.
            scope: What an API key needs for what is asked.
        """
        if asker in self._bygone:
            return self._bygone[asker]
        found = ASKERS[asker](self, tuple(scope))
        return await found

    def whose(self, asker: str) -> str:
        """The person who asks; Ada for those who are nobody."""
        return next((name for word, name in _NAMES.items() if word in asker), "ada")

    # --- Credentials -----------------------------------------------------------------------------------------------

    async def bearer(self, name: str) -> Headers:
        """Somebody's session."""
        return bearer((await self.session(name))["access_token"])

    async def stream_session(self, topic: str) -> str:
        """What a stream of Ada's is opened with."""
        what = ("stream session", topic)
        if what not in self._secrets:
            headers = await self.bearer("ada")
            made = await self.people.client.post("/api/sse/sessions", json={"topics": [topic]}, headers=headers)
            self._secrets[what] = done(made).json()["session_id"]
        return self._secrets[what]

    async def key(self, name: str, *scopes: str) -> str:
        """Somebody's key with exactly these scopes."""
        what = ("key", name, *scopes)
        if what not in self._secrets:
            _, self._secrets[what] = await self.people.key(*await self.person(name), scopes)
        return self._secrets[what]

    async def device(self) -> str:
        """A device's token."""
        if ("device",) not in self._secrets:
            self._secrets["device",] = await self.people.device()
        return self._secrets["device",]

    async def access_token(self, scopes: Sequence[str]) -> str:
        """An integration of the stream with exactly these scopes."""
        what = ("access token", *scopes)
        if what not in self._secrets:
            self._secrets[what] = await access_stream.access_token(self.people, scopes)
        return self._secrets[what]

    async def browser(self, name: str) -> str:
        """What somebody's browser has in its cookie."""
        what = ("browser", name)
        if what not in self._secrets:
            self._secrets[what] = await self.people.browser((await self.person(name))[0])
        return self._secrets[what]

    async def link(self) -> str:
        """The token of a link that was mailed to Ada."""
        user_id, email = await self.person("ada")
        return await self.people.link("verify", user_id, email)


_NAMES = {"bob's session": "bob", "bob's": "bob", "administrator's": "root", "ada's": "ada"}


async def _nobody(cast: Cast, scope: Sequence[str]) -> Headers:
    return {}


def _other_scopes(scope: Sequence[str]) -> list[str]:
    return [other for other in SCOPES if other not in scope]


def _bearer(name: str) -> Asker:
    return lambda cast, scope: cast.bearer(name)


def _key(name: str, *scopes: str) -> Asker:
    async def headers(cast: Cast, scope: Sequence[str]) -> Headers:
        return keyed(await cast.key(name, *scopes))

    return headers


async def _key_in_scope(cast: Cast, scope: Sequence[str]) -> Headers:
    return keyed(await cast.key("ada", *(scope or SCOPES[:1])))


async def _second_scope(cast: Cast, scope: Sequence[str]) -> Headers:
    return keyed(await cast.key("ada", *(scope or SCOPES)[-1:]))


async def _key_out_of_scope(cast: Cast, scope: Sequence[str]) -> Headers:
    return keyed(await cast.key("ada", *_other_scopes(scope)))


async def _key_as_bearer(cast: Cast, scope: Sequence[str]) -> Headers:
    return bearer(await cast.key("ada", "*"))


async def _device(cast: Cast, scope: Sequence[str]) -> Headers:
    return bearer(await cast.device())


def _browser(name: str) -> Asker:
    async def headers(cast: Cast, scope: Sequence[str]) -> Headers:
        return cookie(await cast.browser(name))

    return headers


async def _refresh_token(cast: Cast, scope: Sequence[str]) -> Headers:
    return bearer((await cast.session("ada"))["refresh_token"])


async def _link(cast: Cast, scope: Sequence[str]) -> Headers:
    return bearer(await cast.link())


async def _cookies_secret(cast: Cast, scope: Sequence[str]) -> Headers:
    return bearer(await cast.browser("ada"))


async def _device_as_key(cast: Cast, scope: Sequence[str]) -> Headers:
    return keyed(await cast.device())


async def _key_in_cookie(cast: Cast, scope: Sequence[str]) -> Headers:
    return cookie(await cast.key("ada", "*"))


async def _session_in_cookie(cast: Cast, scope: Sequence[str]) -> Headers:
    return cookie((await cast.session("ada"))["access_token"])


async def _stream_session(cast: Cast, scope: Sequence[str]) -> Headers:
    return bearer(await cast.stream_session("welcome"))


async def _device_in_cookie(cast: Cast, scope: Sequence[str]) -> Headers:
    return cookie(await cast.device())


def _both(one: str, other: str) -> Asker:
    async def headers(cast: Cast, scope: Sequence[str]) -> Headers:
        return {**await cast.headers(one, scope), **await cast.headers(other, scope)}

    return headers


Asker = Callable[[Cast, Sequence[str]], Awaitable[Headers]]

ASKERS: dict[str, Asker] = {
    **access_stream.ASKERS,
    "nobody": _nobody,
    "ada's session": _bearer("ada"),
    "bob's session": _bearer("bob"),
    "an administrator's session": _bearer("root"),
    "ada's key with the scope": _key_in_scope,
    "ada's key with one of the scopes": _second_scope,
    "ada's key for everything": _key("ada", "*"),
    "ada's key for everything, as a bearer token": _key_as_bearer,
    "ada's key for nothing": _key("ada"),
    "ada's key for everything else": _key_out_of_scope,
    "bob's key for everything": _key("bob", "*"),
    "an administrator's key for everything": _key("root", "*"),
    "a device": _device,
    "ada's browser": _browser("ada"),
    "bob's browser": _browser("bob"),
    "an administrator's browser": _browser("root"),
    "ada's refresh token": _refresh_token,
    "a mailed link": _link,
    "the secret of ada's browser, as a bearer token": _cookies_secret,
    "a device's token, as an API key": _device_as_key,
    "a stream session, as a bearer token": _stream_session,
    "ada's key, as a cookie": _key_in_cookie,
    "ada's session, as a cookie": _session_in_cookie,
    "a device's token, as a cookie": _device_in_cookie,
    "ada's key and bob's session": _both("ada's key for everything", "bob's session"),
    "ada's session and a revoked key": _both("ada's session", "a revoked key"),
    "ada's key and an expired session": _both("ada's key for everything", "an expired session"),
    "ada's session and a device's token": _both("ada's session", "a device's token, as an API key"),
}
"""By the names that the table's columns use; those of `bygones` besides."""
