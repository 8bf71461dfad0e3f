"""What is asked for: the objects that `@name` stands for in `access.toml`, made when a request needs them."""

from __future__ import annotations

import base64
import importlib
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import pyotp

from manor import (
    NewCredential,
    Transaction,
    activate_totp,
    add_member,
    begin_totp,
    create_team,
    invite,
    issue,
    link_login,
    new_id,
    new_secret,
    set_team_active,
)
from manor.testing import Answer
from tests.contracts import access_stream
from tests.contracts.access_cast import MARK, Cast, Headers, bearer, done, filled_in, in_topic_header
from tests.contracts.access_table import Entry
from tests.people import PASSWORD

_ANOTHER = "@other_topic"


class Objects:
    """Makes what a request names. Each is made once; those that nobody owns are Ada's.

    Args:
        cast: Whose they are.
    """

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.people = cast.people
        self._made: dict[tuple[str, str], str] = {}
        self._topics: dict[str, UUID] = {}

    async def text(self, value: str, asker: str) -> str:
        """A value of the table: itself, or for `@name` what that object is called in a request."""
        if not value.startswith("@"):
            return value
        key = (value, self.cast.whose(asker) if value in _OF_THE_ASKER else "")
        if key not in self._made:
            self._made[key] = await OBJECTS[value](self, self.cast.whose(asker))
        return self._made[key]

    async def fill(self, value: Any, asker: str) -> Any:
        """A body of the table, with its objects made."""
        match value:
            case str():
                return await self.text(value, asker)
            case dict():
                return {name: await self.fill(inner, asker) for name, inner in value.items()}
            case list():
                return [await self.fill(inner, asker) for inner in value]
            case _:
                return value

    # --- Askers whose credentials are bound to what is asked for -------------------------------------------------

    async def headers(self, asker: str, entry: Entry) -> Headers:
        """What an asker sends.

        Args:
            asker: By name, as in the table's columns.
            entry: What is asked for.
        """
        if asker not in TOKENS:
            return await self.cast.headers(asker, entry.scope)
        permissions, place = TOKENS[asker]
        topic_id = new_id()
        topic = entry.path["topic"] if "{topic}" in entry.target else entry.query.get("topics")
        if topic is None and isinstance(entry.send, dict):
            topic = entry.send.get("topic")
        if topic is not None:
            topic_id = self._topics[await self.text(_ANOTHER if "another" in asker else topic, asker)]
        token = await self._token(topic_id, permissions)
        with_it = await self.cast.headers("bob's key for everything") if asker.startswith("bob's key") else {}
        return {**with_it, **place(token)}

    async def _token(self, topic_id: UUID, permissions: Sequence[str]) -> str:
        secret = new_secret("tk_")
        new = NewCredential(kind="topic_token", resource=topic_id, scopes=tuple(permissions), label="token")
        await self._write(lambda transaction: issue(transaction, new, secret))
        return secret

    # --- People and their credentials ------------------------------------------------------------------------------

    async def password(self, asker: str) -> str:
        """Everybody's."""
        return PASSWORD

    async def new_name(self, asker: str) -> str:
        """A username that nobody has."""
        return f"new{self._count()}"

    async def new_email(self, asker: str) -> str:
        """An address that nobody has."""
        return f"new{self._count()}@example.org"

    async def somebody(self, asker: str) -> str:
        """The address of somebody who is no asker."""
        return (await self.people.add("carol"))[1]

    async def refresh_token(self, asker: str) -> str:
        """One of somebody who is no asker."""
        _, email = await self.people.add("carol")
        return str((await self.people.sign_in(email))["refresh_token"])

    async def verify_link(self, asker: str) -> str:
        """The token of a link in a mail to somebody who is no asker."""
        return await self.people.link("verify", *await self.people.add("carol"))

    async def reset_link(self, asker: str) -> str:
        """The same for a forgotten password."""
        return await self.people.link("reset", *await self.people.add("carol"))

    async def undo_link(self, asker: str) -> str:
        """The same for an address that somebody else may have changed."""
        return await self.people.link("undo_email", *await self.people.add("carol"))

    async def session(self, asker: str) -> str:
        """The id of a session of Ada's, beside the one that she asks with."""
        signed_in = await self.people.sign_in((await self.cast.person("ada"))[1])
        payload = str(signed_in["access_token"]).split(".")[1]
        return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sid"])

    async def api_key(self, asker: str) -> str:
        """The id of a key of Ada's."""
        return str((await self.people.key(*await self.cast.person("ada"), ["publish"]))[0])

    async def totp_code(self, asker: str) -> str:
        """What the app of the asker shows, who is about to activate it."""
        user_id = (await self.cast.person(asker))[0]
        # Signing in takes a code from then on.
        await self.cast.session(asker)
        setup = await self._write(lambda transaction: begin_totp(transaction, user_id))
        return pyotp.TOTP(setup.secret).at(self.people.clock.now())

    async def recovery_code(self, asker: str) -> str:
        """A recovery code of the asker, who has activated the app."""
        user_id, code = (await self.cast.person(asker))[0], await self.totp_code(asker)
        codes: list[str] = await self._write(lambda transaction: activate_totp(transaction, user_id, code))
        return codes[0]

    async def sign_in_ticket(self, asker: str) -> str:
        """What the page of the second step holds: the first one was taken by somebody who is no asker."""
        user_id, email = await self.people.add("carol")
        setup = await self._write(lambda transaction: begin_totp(transaction, user_id))
        code = pyotp.TOTP(setup.secret).at(self.people.clock.now())
        codes: list[str] = await self._write(lambda transaction: activate_totp(transaction, user_id, code))
        self._made["@sign_in_code", ""] = codes[0]
        headers: Headers = {}
        body = await filled_in(self._ask, "/reset-password", headers, {"login": email, "password": PASSWORD})
        page = done(await self._ask("POST", "/login", headers, body)).text
        ticket = re.search(r'name="ticket" value="([^"]+)"', page)
        assert ticket is not None, page
        return ticket[1]

    async def sign_in_code(self, asker: str) -> str:
        """What they have to say next."""
        await self.text("@sign_in_ticket", asker)
        return self._made["@sign_in_code", ""]

    async def oauth_code(self, asker: str) -> str:
        """What a browser came back with from a provider."""
        secret, user_id = new_secret(), (await self.people.add("carol"))[0]
        new = NewCredential(kind="oauth_code", user_id=user_id, meta={"provider": "google"})
        await self._write(lambda transaction: issue(transaction, new, secret))
        return secret

    async def provider(self, asker: str) -> str:
        """The name of a provider through which Ada signs in."""
        user_id, email = await self.cast.person("ada")

        def work(transaction: Transaction) -> None:
            link_login(transaction, user_id, issuer="https://id.example.org", subject=email, provider="keycloak")

        await self._write(work)
        return "keycloak"

    async def invite(self, asker: str) -> str:
        """The token of an invite that was mailed to the asker."""
        owner_id, _ = await self.people.add("carol")
        email, name = (await self.cast.person(asker))[1], f"team{self._count()}"

        def work(transaction: Transaction) -> str:
            team = create_team(transaction, owner_id, name=name, display_name=name)
            return invite(transaction, team.id, email=email, role="member", invited_by_id=owner_id)[1]

        return str(await self._write(work))

    async def team(self, asker: str) -> str:
        """The id of a team of Ada's."""
        owner_id, name = (await self.cast.person("ada"))[0], f"team{self._count()}"

        def work(transaction: Transaction) -> str:
            team = create_team(transaction, owner_id, name=name, display_name=name, description=MARK)
            return str(team.id)

        return str(await self._write(work))

    async def inactive_team(self, asker: str) -> str:
        """The same of one that is deactivated."""
        team_id = await self.team(asker)
        await self._write(lambda transaction: set_team_active(transaction, UUID(team_id), False))
        return team_id

    async def team_member(self, asker: str) -> str:
        """The id of somebody in Ada's team, who is no asker."""
        user_id, _ = await self.people.add("carol")
        team_id = UUID(await self.text("@team", asker))
        await self._write(lambda transaction: add_member(transaction, team_id, user_id))
        return str(user_id)

    async def team_invite(self, asker: str) -> str:
        """The id of an invite into Ada's team."""
        owner_id, email = (await self.cast.person("ada"))[0], await self.new_email(asker)
        team_id = UUID(await self.text("@team", asker))

        def work(transaction: Transaction) -> str:
            return str(invite(transaction, team_id, email=email, role="member", invited_by_id=owner_id)[0].id)

        return str(await self._write(work))

    # --- Devices ---------------------------------------------------------------------------------------------------

    async def device_name(self, asker: str) -> str:
        """A device's, beside the one that asks."""
        name = f"tablet{self._count()}"
        await self.people.device(name)
        return name

    async def device_phrase(self, asker: str) -> str:
        """Twelve words that let a device in."""
        return await self._phrase("/auth/new_device")

    async def recovery_phrase(self, asker: str) -> str:
        """Eighteen words that do so when all devices are lost."""
        return await self._phrase("/auth/recovery_token")

    async def _phrase(self, path: str) -> str:
        answer = done(await self.people.client.post(path, headers=bearer(await self.people.device())))
        return str(answer.json()["token"])

    # --- Topics ----------------------------------------------------------------------------------------------------

    async def public_topic(self, asker: str) -> str:
        """The name of a topic that everybody may read; it is Ada's."""
        return await self._topic("public")

    async def private_topic(self, asker: str) -> str:
        """The name of a topic that is Ada's alone, with a message in it."""
        return await self._topic("private")

    async def other_topic(self, asker: str) -> str:
        """Another one that is Ada's alone."""
        return await self._topic("private")

    async def topic_id(self, asker: str) -> str:
        """The id of a topic that everybody may read; it is Ada's."""
        name = await self._topic("public")
        self._topics[str(self._topics[name])] = self._topics[name]
        return str(self._topics[name])

    async def message(self, asker: str) -> str:
        """The id of a message in the public topic."""
        name = await self.text("@public_topic", asker)
        answer = done(await self.people.client.post(f"/{name}", body=b"x", headers=await self.cast.bearer("ada")))
        return str(answer.json()["id"])

    async def push_device(self, asker: str) -> str:
        """The id of a device of Ada's that messages are pushed to."""
        number = self._count()
        wanted = {
            "push_token": f"token-{number}",
            "platform": "ios",
            "device_id": f"phone-{number}",
            "device_name": MARK,
        }
        headers = await self.cast.bearer("ada")
        answer = done(await self.people.client.post("/api/devices/register", json=wanted, headers=headers))
        return str(answer.json()["id"])

    async def stream_session(self, asker: str) -> str:
        """What a stream of a topic of Ada's is opened with."""
        return await self.cast.stream_session(await self.text("@private_topic", asker))

    async def webhook(self, asker: str) -> str:
        """A webhook of the topic, at an address that the house does not reach, which only a look-up tells."""
        name = await self.text("@public_topic", asker)
        headers = await self.cast.bearer("ada")
        hook = {"url": "http://127.1:9/hook"}
        answer = done(await self.people.client.post(f"/api/topics/{name}/webhooks", json=hook, headers=headers))
        return str(answer.json()["id"])

    async def topic_token(self, asker: str) -> str:
        """The id of a token of the public topic."""
        resource = self._topics[await self.text("@public_topic", asker)]
        new = NewCredential(kind="topic_token", resource=resource, scopes=("read",), label="CI")
        return str((await self._write(lambda transaction: issue(transaction, new, new_secret("tk_")))).id)

    async def subscribed_topic(self, asker: str) -> str:
        """The name of a topic that is Ada's alone, and that she is subscribed to."""
        name = await self._topic("private")
        await self._subscribe(name)
        return name

    async def subscription(self, asker: str) -> str:
        """The id of a subscription of Ada's, to a topic that is hers alone."""
        return await self._subscribe(await self._topic("private"))

    async def _subscribe(self, name: str) -> str:
        headers = await self.cast.bearer("ada")
        answer = await self.people.client.post("/api/subscriptions", json={"topic_name": name}, headers=headers)
        return str(done(answer).json()["id"])

    async def _topic(self, access_level: str) -> str:
        house, name = self.people.house, f"{access_level}-{self._count()}"
        plugin = next(plugin for plugin in house.running if plugin.name == "topics")
        creating = importlib.import_module(f"{plugin.package}.creating")
        topic = creating.new_topic(
            name,
            owner_id=(await self.cast.person("ada"))[0],
            access_level=access_level,
            description=MARK,
            now=self.people.clock.now(),
        )
        self._topics[name] = topic.id
        await self._write(lambda transaction: creating.add(transaction, topic))
        done(await self.people.client.post(f"/{name}", body=MARK.encode(), headers=await self.cast.bearer("ada")))
        return name

    # --- Files -----------------------------------------------------------------------------------------------------

    async def static_version(self, asker: str) -> str:
        """The version that the addresses of the core's own files hold."""
        page = done(await self.people.client.get("/docs")).text
        return page.partition("/static/core/")[2].partition("/")[0]

    async def topics_version(self, asker: str) -> str:
        """The version that the addresses of the topics' own files hold."""
        page = done(await self.people.client.get("/app/topics")).text
        return page.partition("/static/topics/")[2].partition("/")[0]

    async def hostservices_version(self, asker: str) -> str:
        """The version that the addresses of the host's own files hold."""
        headers = await self.cast.headers("an administrator's browser")
        page = done(await self.people.client.get("/app/host", headers=headers)).text
        return page.partition("/static/hostservices/")[2].partition("/")[0]

    def _count(self) -> int:
        return self.people.count()

    async def _ask(self, method: str, target: str, headers: Headers, body: bytes) -> Answer:
        return await self.people.client.request(method, target, headers=headers, body=body)

    async def _write(self, work: Callable[[Transaction], Any]) -> Any:
        return await self.people.house.storage.write(work)


OBJECTS: dict[str, Callable[[Objects, str], Awaitable[str]]] = {
    "@password": Objects.password,
    "@new_name": Objects.new_name,
    "@new_email": Objects.new_email,
    "@somebody": Objects.somebody,
    "@refresh_token": Objects.refresh_token,
    "@verify_link": Objects.verify_link,
    "@reset_link": Objects.reset_link,
    "@undo_link": Objects.undo_link,
    "@session": Objects.session,
    "@api_key": Objects.api_key,
    "@stream_session": Objects.stream_session,
    "@totp_code": Objects.totp_code,
    "@recovery_code": Objects.recovery_code,
    "@sign_in_ticket": Objects.sign_in_ticket,
    "@sign_in_code": Objects.sign_in_code,
    "@oauth_code": Objects.oauth_code,
    "@provider": Objects.provider,
    "@invite": Objects.invite,
    "@team": Objects.team,
    "@inactive_team": Objects.inactive_team,
    "@team_member": Objects.team_member,
    "@team_invite": Objects.team_invite,
    "@device_name": Objects.device_name,
    "@device_phrase": Objects.device_phrase,
    "@recovery_phrase": Objects.recovery_phrase,
    "@public_topic": Objects.public_topic,
    "@private_topic": Objects.private_topic,
    _ANOTHER: Objects.other_topic,
    "@topic_id": Objects.topic_id,
    "@message": Objects.message,
    "@topic_token": Objects.topic_token,
    "@webhook": Objects.webhook,
    "@push_device": Objects.push_device,
    "@subscribed_topic": Objects.subscribed_topic,
    "@subscription": Objects.subscription,
    "@hostservices_version": Objects.hostservices_version,
    "@static_version": Objects.static_version,
    "@topics_version": Objects.topics_version,
    **access_stream.OBJECTS,
}

_OF_THE_ASKER = {"@totp_code", "@recovery_code", "@invite"}

TOKENS: dict[str, tuple[Sequence[str], Callable[[str], Headers]]] = {
    "a token that reads the topic": (["read"], in_topic_header),
    "a token that reads the topic, as a bearer token": (["read"], bearer),
    "a token that writes to the topic": (["write"], in_topic_header),
    "a token of another topic": (["read", "write"], in_topic_header),
    "bob's key and a token of the topic": (["read", "write"], in_topic_header),
}
"""Askers with a topic's token: what it may, and where it stands."""
