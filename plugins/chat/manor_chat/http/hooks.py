"""What is posted from outside: by incoming webhooks, and by slash commands that say more. Their ids are secrets."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import parse_qsl
from uuid import UUID

import msgspec

from manor import PUBLIC, Api, BadRequest, Rate, Reply, Request, Route, TooManyRequests, Transaction
from manor_chat import faults
from manor_chat.forms.whole import read_form
from manor_chat.http.params import id_param
from manor_chat.integrations.command_answers import CommandResponse
from manor_chat.integrations.incoming import Delivered, deliver
from manor_chat.integrations.replying import Saying
from manor_chat.parts import Shared

T = TypeVar("T")

BODY_LIMIT = 1024 * 1024
MOST_FIELDS = 100
OK = Reply(b"ok", content_type="text/plain")

_PARSE = "web.incoming_webhook.parse.app_error"
_PARSE_REPLY = "web.command_webhook.parse.app_error"


class HookHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared, saying: Saying) -> None:
        self._shared = shared
        self._saying = saying

    async def post(self, request: Request[bytes]) -> Reply:
        """Post what came by an incoming webhook."""
        config = self._shared.config
        if not config.incoming_webhooks:
            raise faults.switched_off("web.incoming_webhook.disabled.app_error", "Incoming webhooks are switched off.")
        hook_id = id_param(request, "hook_id")
        came = read_as(Delivered, request, code=_PARSE)
        self._take(hook_id)

        def work(transaction: Transaction) -> None:
            deliver(
                transaction,
                hook_id,
                came,
                is_online=self._shared.presence.is_online,
                within_teams=config.direct_messages_within_teams,
            )

        await self._shared.storage.write(work)
        return OK

    async def reply(self, request: Request[bytes]) -> Reply:
        """Post what a slash command says later."""
        reply_id = id_param(request, "response_id")
        response = _read_reply(request)

        def work(transaction: Transaction) -> None:
            self._saying.reply_later(transaction, reply_id, response)

        await self._shared.storage.write(work)
        return OK

    def _take(self, hook_id: UUID) -> None:
        per_minute = self._shared.config.incoming_webhook_rate
        verdict = self._shared.context.limits.take("chat incoming webhooks", str(hook_id), Rate(per_minute))
        if not verdict.allowed:
            raise TooManyRequests("Too many posts by this webhook", retry_after=verdict.retry_after)


def read_as(kind: type[T], request: Request[bytes], *, code: str) -> T:
    """What a body says: JSON, or a form whose field `payload` is JSON or whose fields are its members.

    Args:
        kind: A struct.
        request: With the body.
        code: Of the refusal.

    Raises:
        BadRequest: 400: it cannot be read.
    """
    content_type = request.headers.get("content-type") or ""
    media_type = content_type.partition(";")[0].strip().lower()
    try:
        if media_type == "application/x-www-form-urlencoded" and not request.body.lstrip().startswith(b"{"):
            return _of_fields(kind, dict(_pairs(request.body)))
        if media_type == "multipart/form-data":
            form = read_form(content_type, request.body)
            return _of_fields(kind, {name: texts[0] for name, texts in form.fields.items()})
        return _of_json(kind, request.body)
    except (ValueError, RecursionError, BadRequest) as error:
        raise faults.bad_value(code, "Unable to parse incoming data.") from error


def _pairs(body: bytes) -> list[tuple[str, str]]:
    return parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)


def _of_fields(kind: type[T], fields: dict[str, str]) -> T:
    if "payload" in fields:
        return _of_json(kind, fields["payload"].encode())
    return msgspec.convert(fields, kind)


def _of_json(kind: type[T], body: bytes) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        # Shell scripts send texts with their line breaks as they are, which JSON has not.
        value: Any = json.loads(body.decode(), strict=False)
        return msgspec.json.decode(msgspec.json.encode(value), type=kind)


def _read_reply(request: Request[bytes]) -> CommandResponse:
    media_type = (request.headers.get("content-type") or "").partition(";")[0].strip().lower()
    if media_type == "text/plain":
        return CommandResponse(text=request.body.decode("utf-8", "replace"))
    return read_as(CommandResponse, request, code=_PARSE_REPLY)


def hiding(api: Api) -> Api:
    """The API where ids of incoming webhooks stand in paths: logs show none of them."""
    return replace(api, name="chat hooks", prefixes=("/hooks", "/api/v4/hooks/incoming"), hides_paths=True)


def hook_routes(shared: Shared, saying: Saying) -> list[Route]:
    """Both, at the server's root."""
    handlers, api = HookHandlers(shared, saying), hiding(shared.api)

    def route(path: str, handler: Any, **more: Any) -> Route:
        return Route(
            "POST", path, handler, api=api, access=PUBLIC, body=bytes, body_limit=BODY_LIMIT, tag="webhooks", **more
        )

    return [
        route("/hooks/{hook_id}", handlers.post, errors=(403, 404, 501)),
        route("/hooks/commands/{response_id}", handlers.reply, errors=(403, 404)),
    ]
