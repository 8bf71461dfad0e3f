"""One provider as it is asked: where its endpoints are, what its keys are, and what a code is worth."""

from __future__ import annotations

import base64
from typing import TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from manor import Clock, Outgoing, OutgoingFailed, OutgoingRefused
from manor_auth.oidc.config import ProviderConfig
from manor_auth.oidc.id_tokens import Claims, ProviderKey, TokenRefused, UnknownKey, read_keys, verify
from manor_auth.oidc.kept import Kept, ProviderTrouble

PATIENCE = 5.0
"""Seconds for each answer."""

MOST_BYTES = 256 * 1024

_JSON = {"accept": "application/json"}

S = TypeVar("S", bound=msgspec.Struct)


class Metadata(msgspec.Struct, frozen=True):
    """What is read of a discovery document (OpenID Connect Discovery 1.0 section 3)."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: list[str] | None = None


class Redeemed(msgspec.Struct, frozen=True):
    """What a code was worth."""

    id_token: str
    access_token: str = ""

    def __repr__(self) -> str:
        """Without the tokens, whatever log or traceback it lands in."""
        return "Redeemed(…)"


class UserInfo(msgspec.Struct, frozen=True):
    """What is read of the provider's second word about somebody (Core 1.0 section 5.3)."""

    sub: str
    email: str | None = None
    email_verified: bool | str | None = None
    groups: object = None


class Provider:
    """Asks one provider. Nothing is asked before somebody signs in, so one that is down delays no start.

    Only the issuer's own host may be private. What its discovery document names besides has to be public, or allowed
    in `[server.outgoing]`; it stays on https where the issuer does; and no redirect is followed.

    Args:
        name: Its table's.
        config: That table.
        outgoing: Asks; allows the issuer's host.
        clock: Says what has expired.
        redirect_uri: Where it sends people back to.
    """

    def __init__(
        self, name: str, config: ProviderConfig, outgoing: Outgoing, clock: Clock, *, redirect_uri: str
    ) -> None:
        self.name = name
        self.config = config
        self.redirect_uri = redirect_uri
        self._outgoing = outgoing
        self._clock = clock
        self._metadata = Kept(self._fetch_metadata)
        self._keys = Kept(self._fetch_keys)

    async def authorization_url(self, *, state: str, nonce: str, challenge: str) -> str:
        """Where a browser begins the sign-in (Core 1.0 section 3.1.2.1, RFC 7636 section 4.3).

        Raises:
            ProviderTrouble: The provider does not say.
        """
        endpoint = (await self._metadata.get()).authorization_endpoint
        query = {
            "response_type": "code",
            "client_id": self.config.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": " ".join(self.config.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        checked = self._checked(endpoint)
        return f"{checked}{'&' if '?' in checked else '?'}{urlencode(query, quote_via=quote)}"

    async def claims_for(self, code: str, *, verifier: str, nonce: str) -> Claims:
        """Who signed in, for the code that the browser brought back.

        Raises:
            ProviderTrouble: The provider does not answer.
            TokenRefused: It does not take the code, or its token is not to be believed.
        """
        redeemed = await self._redeem(code, verifier)
        claims = await self.believed(redeemed.id_token, audiences=frozenset({self.config.client_id}), nonce=nonce)
        return await self._completed(claims, redeemed.access_token)

    async def believed(self, token: str, *, audiences: frozenset[str], nonce: str | None) -> Claims:
        """What an ID token says. For a key that is not known the keys are fetched once more.

        Raises:
            ProviderTrouble: Its keys are not to be had.
            TokenRefused: It is not to be believed.
        """
        try:
            return self._verified(token, await self._keys.get(), audiences, nonce)
        except UnknownKey:
            return self._verified(token, await self._keys.again(), audiences, nonce)

    def _verified(self, token: str, keys: list[ProviderKey], audiences: frozenset[str], nonce: str | None) -> Claims:
        return verify(
            token,
            keys,
            algorithms=self.config.algorithms,
            issuer=self.config.issuer,
            audiences=audiences,
            nonce=nonce,
            now=self._clock.now().timestamp(),
        )

    # --- Asking ----------------------------------------------------------------------------------------------------

    async def _redeem(self, code: str, verifier: str) -> Redeemed:
        metadata = await self._metadata.get()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": verifier,
        }
        headers = {**_JSON, "content-type": "application/x-www-form-urlencoded"}
        config = self.config
        methods = metadata.token_endpoint_auth_methods_supported or ["client_secret_basic"]
        if config.client_secret and "client_secret_basic" in methods:
            # Both are written as a form has them first: RFC 6749 section 2.3.1.
            pair = f"{quote(config.client_id, safe='')}:{quote(config.client_secret, safe='')}"
            headers["authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        else:
            form["client_id"] = config.client_id
            if config.client_secret:
                form["client_secret"] = config.client_secret
        status, body = await self._ask("POST", metadata.token_endpoint, headers, urlencode(form).encode())
        if 400 <= status < 500:
            raise TokenRefused(f"the provider does not take the code ({status})")
        return self._read(status, body, Redeemed, "token endpoint")

    async def _completed(self, claims: Claims, access_token: str) -> Claims:
        """With what some providers say at their other endpoint only, if something is missing."""
        lacks_groups = bool(self.config.admin_group) and claims.groups is None
        endpoint = (await self._metadata.get()).userinfo_endpoint
        if not endpoint or not access_token or (claims.email is not None and not lacks_groups):
            return claims
        headers = {**_JSON, "authorization": f"Bearer {access_token}"}
        status, body = await self._ask("GET", endpoint, headers)
        said = self._read(status, body, UserInfo, "userinfo endpoint")
        if said.sub != claims.sub:
            raise TokenRefused("the userinfo endpoint speaks of somebody else")
        if claims.email is None:
            claims = msgspec.structs.replace(claims, email=said.email, email_verified=said.email_verified)
        return msgspec.structs.replace(claims, groups=said.groups) if lacks_groups else claims

    async def _fetch_metadata(self) -> Metadata:
        place = f"{self.config.issuer.rstrip('/')}/.well-known/openid-configuration"
        status, body = await self._ask("GET", place, _JSON)
        metadata = self._read(status, body, Metadata, "discovery document")
        if metadata.issuer != self.config.issuer:
            raise ProviderTrouble("its discovery document is another issuer's")
        return metadata

    async def _fetch_keys(self) -> list[ProviderKey]:
        status, body = await self._ask("GET", (await self._metadata.get()).jwks_uri, _JSON)
        if status != 200:
            raise ProviderTrouble(f"its keys are answered with {status}")
        try:
            return read_keys(body)
        except TokenRefused as error:
            raise ProviderTrouble(str(error)) from error

    async def _ask(self, method: str, url: str, headers: dict[str, str], content: bytes = b"") -> tuple[int, bytes]:
        try:
            answer = await self._outgoing.request(
                method,
                self._checked(url),
                headers=headers,
                content=content,
                timeout=PATIENCE,
                most_bytes=MOST_BYTES,
                redirects=0,
            )
        except (OutgoingFailed, OutgoingRefused) as error:
            raise ProviderTrouble(str(error)) from error
        return answer.status, answer.body

    def _checked(self, url: str) -> str:
        """An address that the provider named, as long as it is no weaker than its issuer's."""
        try:
            parts = urlsplit(url)
            is_whole = bool(parts.hostname) and "@" not in parts.netloc and not parts.fragment
        except ValueError:
            is_whole = False
        schemes = ("https",) if self.config.issuer.startswith("https:") else ("http", "https")
        if not is_whole or parts.scheme not in schemes or not url.isascii() or not url.isprintable() or " " in url:
            raise ProviderTrouble("its discovery document names an address that is not used")
        return url

    def _read(self, status: int, body: bytes, shape: type[S], what: str) -> S:
        if status != 200:
            raise ProviderTrouble(f"its {what} answered {status}")
        try:
            return msgspec.json.decode(body, type=shape)
        except msgspec.MsgspecError as error:
            raise ProviderTrouble(f"its {what} cannot be read") from error
