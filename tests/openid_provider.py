"""An OpenID provider on loopback: real HTTP, real signatures, strict about what it is asked, and wrong when told to be.

It does what OpenID Connect Core 1.0, Discovery 1.0, RFC 6749 and RFC 7636 say of a provider. A request that a real one
would refuse is refused and noted in `complaints`, so a test that wants a success sees what was wrong with it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import trio
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from manor import Clock

CLIENT = "manor"
SECRET = "a secret: with/odd+characters"

Signing = Literal["key", "none", "public key", "stranger"]
"""With what an ID token is signed: as it should be; not at all; by HS256 with the public key as its secret; by a key
that is not the provider's, under the id of one that is."""


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    form: Mapping[str, str]


@dataclass(frozen=True)
class Told:
    """An answer."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = Callable[[Asked], Awaitable[Told]]


@dataclass(frozen=True)
class Grant:
    """What a code stands for."""

    nonce: str
    challenge: str
    redirect_uri: str
    claims: Mapping[str, Any]


@cache
def rsa_key(number: int) -> RSAKey:
    """The first, the second … key; making one takes its time."""
    return RSAKey.generate_key(2048, {"use": "sig"})


@dataclass
class OpenIdProvider:
    """The provider, and all that a test may have it do.

    Args:
        clock: Dates its tokens.
        port: On 127.0.0.1.
        person: The claims about whoever sits at the browser; None when they decline.
        redirect_uris: Where it sends browsers back to.
        client_secret: What the client has to show; "" for a public client.
        auth_method: How the client has to show it.
        token_claims: Put over the claims of ID tokens; None takes one away.
        signing: With what they are signed.
        metadata: Put over the discovery document.
        userinfo: What its userinfo endpoint says; None has none.
        answers: By path, in place of what it would answer.
    """

    clock: Clock
    port: int
    person: dict[str, Any] | None = None
    redirect_uris: set[str] = field(default_factory=set)
    client_secret: str = SECRET
    auth_method: str = "client_secret_basic"
    token_claims: dict[str, Any] = field(default_factory=dict)
    signing: Signing = "key"
    metadata: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] | None = None
    answers: dict[str, Answer] = field(default_factory=dict)
    keys: list[RSAKey | ECKey] = field(default_factory=lambda: [rsa_key(1)])
    asked: list[Asked] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    grants: dict[str, Grant] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}/realms/home"

    def count(self, end: str) -> int:
        """How often a path that ends so was asked for."""
        return sum(asked.path.endswith(end) for asked in self.asked)

    def rotate(self) -> None:
        """Sign with a new key; the old one is gone."""
        self.keys = [rsa_key(2)]

    # --- Tokens ----------------------------------------------------------------------------------------------------

    def id_token(self, claims: Mapping[str, Any], *, audience: str = CLIENT, nonce: str = "", kid: str = "") -> str:
        """An ID token about somebody."""
        now = int(self.clock.now().timestamp())
        whole = {"iss": self.issuer, "aud": audience, "iat": now, "exp": now + 300, **claims}
        if nonce:
            whole["nonce"] = nonce
        whole = {name: value for name, value in {**whole, **self.token_claims}.items() if value is not None}
        payload = json.dumps(whole).encode()
        key = self.keys[-1]
        header = {"alg": "ES256" if isinstance(key, ECKey) else "RS256", "kid": kid or key_id(key), "typ": "JWT"}
        match self.signing:
            case "none":
                return f"{_encoded(json.dumps({**header, 'alg': 'none'}).encode())}.{_encoded(payload)}."
            case "public key":
                signed = f"{_encoded(json.dumps({**header, 'alg': 'HS256'}).encode())}.{_encoded(payload)}"
                mark = hmac.new(key.as_pem(private=False), signed.encode(), "sha256").digest()
                return f"{signed}.{_encoded(mark)}"
            case "stranger":
                key = rsa_key(3)
        return jws.serialize_compact(header, payload, key, algorithms=[header["alg"]])

    # --- Endpoints -------------------------------------------------------------------------------------------------

    async def discovery(self, asked: Asked) -> Told:
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth?kept=1",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/certs",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            "token_endpoint_auth_methods_supported": [self.auth_method],
            "code_challenge_methods_supported": ["S256"],
        }
        if self.userinfo is not None:
            document["userinfo_endpoint"] = f"{self.issuer}/userinfo"
        return _json({**document, **self.metadata})

    async def certs(self, asked: Asked) -> Told:
        keys = [{**key.as_dict(private=False), "kid": key_id(key), "use": "sig"} for key in self.keys]
        # As others have them beside their own: one of a kind that nobody here knows, and one for encryption.
        odd = [{"kty": "AKP", "kid": "odd"}, {**keys[0], "kid": "enc", "use": "enc"}]
        return _json({"keys": [*odd, *keys]})

    async def auth(self, asked: Asked) -> Told:
        query = asked.query
        target = query.get("redirect_uri", "")
        if query.get("client_id") != CLIENT or target not in self.redirect_uris:
            return self._complain(f"unknown client or redirect_uri {target!r}")
        wanted = {"response_type": "code", "code_challenge_method": "S256", "kept": "1"}
        wrong = [name for name, value in wanted.items() if query.get(name) != value]
        wrong += [name for name in ("state", "nonce", "code_challenge") if len(query.get(name, "")) < 43]
        if wrong or "openid" not in query.get("scope", "").split():
            return self._complain(f"wrong: {wrong}, scope {query.get('scope')!r}")
        if self.person is None:
            return _redirect(target, error="access_denied", error_description="No, thanks", state=query["state"])
        code = secrets.token_urlsafe(16)
        self.grants[code] = Grant(query["nonce"], query["code_challenge"], target, dict(self.person))
        return _redirect(target, code=code, state=query["state"], session_state="x", iss=self.issuer)

    async def token(self, asked: Asked) -> Told:
        form = asked.form
        if trouble := self._client_trouble(asked):
            self.complaints.append(trouble)
            return _json({"error": "invalid_client"}, 401)
        grant = self.grants.pop(form.get("code", ""), None)
        proof = _encoded(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if asked.method != "POST" or grant is None or form.get("grant_type") != "authorization_code":
            return self._complain("invalid_grant")
        if grant.redirect_uri != form.get("redirect_uri") or grant.challenge != proof:
            return self._complain("the redirect_uri or the verifier is another one")
        tokens = {"access_token": "opaque", "token_type": "Bearer", "expires_in": 60}
        return _json({**tokens, "id_token": self.id_token(grant.claims, nonce=grant.nonce)})

    async def user(self, asked: Asked) -> Told:
        if asked.headers.get("authorization") != "Bearer opaque":
            return _json({"error": "invalid_token"}, 401)
        return _json(self.userinfo)

    def _client_trouble(self, asked: Asked) -> str:
        """What is wrong with how the client showed itself; "" when nothing is."""
        shown = asked.headers.get("authorization", "")
        if not self.client_secret:
            is_good = asked.form.get("client_id") == CLIENT and not shown and "client_secret" not in asked.form
        elif self.auth_method == "client_secret_basic":
            pair = base64.b64decode(shown.removeprefix("Basic ")).decode()
            is_good = [unquote(part) for part in pair.split(":")] == [CLIENT, self.client_secret]
        else:
            is_good = (asked.form.get("client_id"), asked.form.get("client_secret")) == (CLIENT, self.client_secret)
        return "" if is_good else "the client is not known by this"

    def _complain(self, what: str) -> Told:
        self.complaints.append(what)
        return _json({"error": "invalid_request", "error_description": what}, 400)

    # --- HTTP ------------------------------------------------------------------------------------------------------

    async def serve(self, stream: trio.SocketStream) -> None:
        """One request of one connection."""
        async with stream:
            try:
                asked = await _received(stream)
                if asked is None:
                    return
                self.asked.append(asked)
                told = await self._answer(asked)
                head = {"Content-Type": "application/json", "Content-Length": str(len(told.body)), **told.headers}
                lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
                await stream.send_all(f"HTTP/1.1 {told.status} X\r\n{lines}\r\n".encode() + told.body)
            except trio.BrokenResourceError:
                pass

    async def _answer(self, asked: Asked) -> Told:
        base = urlsplit(self.issuer).path
        endpoints: dict[str, Answer] = {
            "/.well-known/openid-configuration": self.discovery,
            "/certs": self.certs,
            "/auth": self.auth,
            "/token": self.token,
            "/userinfo": self.user,
        }
        path = asked.path.removeprefix(base)
        endpoint = self.answers.get(path) or endpoints.get(path)
        return await endpoint(asked) if endpoint is not None else _json({"error": "not found"}, 404)


@asynccontextmanager
async def open_provider(clock: Clock) -> AsyncIterator[OpenIdProvider]:
    """A provider that answers until the end of the block."""
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        provider = OpenIdProvider(clock, listener.socket.getsockname()[1])
        nursery.start_soon(partial(trio.serve_listeners, provider.serve, [listener]))
        yield provider
        nursery.cancel_scope.cancel()


def key_id(key: RSAKey | ECKey) -> str:
    return key.thumbprint()


def saying(status: int, body: bytes = b"{}", **headers: str) -> Answer:
    """Always the same answer."""

    async def answer(asked: Asked) -> Told:
        return Told(status, body, headers)

    return answer


def hanging(began: trio.Event) -> Answer:
    """An answer that never comes."""

    async def answer(asked: Asked) -> Told:
        began.set()
        await trio.sleep_forever()

    return answer


async def _received(stream: trio.SocketStream) -> Asked | None:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = await stream.receive_some()
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += await stream.receive_some()
    method, target, _ = first.split(" ")
    parts = urlsplit(target)
    is_form = headers.get("content-type") == "application/x-www-form-urlencoded"
    form = dict(parse_qsl(body.decode(), strict_parsing=True)) if is_form else {}
    return Asked(method, parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), headers, form)


def _json(value: Any, status: int = 200) -> Told:
    return Told(status, json.dumps(value).encode())


def _redirect(target: str, **values: str) -> Told:
    return Told(302, b"", {"Location": f"{target}?{urlencode(values)}"})


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
