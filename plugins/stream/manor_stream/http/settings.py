"""Settings over HTTP: one operation for each, `{"value": ...}` in and a `BasicResponse` out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from manor import BadRequest, FieldProblem, Reply, Request, Route, Scope
from manor_stream.administering.changing import Changing
from manor_stream.http.api import (
    ADMIN_ACCESS,
    INTEGRATION,
    INTEGRATION_API,
    BasicResponse,
    admin_route,
    basic_response,
)
from manor_stream.key_check import USER
from manor_stream.quality import Quality
from manor_stream.setting_rules import RULES, Unfit
from manor_stream.settings import ExternalAction, S3Settings, SocialHandle

BODY_LIMIT = 512 * 1024
LOGO_BODY_LIMIT = 2 * 1024 * 1024
"""A logo of a mebibyte is longer in base64."""


class TextValue(msgspec.Struct, frozen=True):
    """A setting that is text."""

    value: str


class NumberValue(msgspec.Struct, frozen=True):
    """A setting that is a whole number."""

    value: int


class FlagValue(msgspec.Struct, frozen=True):
    """A setting that is on or off."""

    value: bool


class WordsValue(msgspec.Struct, frozen=True):
    """A setting that is a list of words."""

    value: list[str]


class QualitiesValue(msgspec.Struct, frozen=True):
    """What viewers may choose from."""

    value: list[Quality]


class SocialHandlesValue(msgspec.Struct, frozen=True):
    """Where else the broadcaster is found."""

    value: list[SocialHandle]


class ExternalActionsValue(msgspec.Struct, frozen=True):
    """Buttons beside the video."""

    value: list[ExternalAction]


class S3Value(msgspec.Struct, frozen=True):
    """Where segments go."""

    value: S3Settings


Setter = Callable[[Request[Any]], Awaitable[Reply]]

BODIES: dict[Any, Any] = {
    str: TextValue,
    int: NumberValue,
    bool: FlagValue,
    list[str]: WordsValue,
    list[Quality]: QualitiesValue,
    list[SocialHandle]: SocialHandlesValue,
    # The API's document has the bare list, its own admin page wraps it as everything else.
    list[ExternalAction]: list[ExternalAction] | ExternalActionsValue,
    S3Settings: S3Value,
}
"""How a setting's value is sent, by its shape."""


class SettingHandlers:
    """Setters.

    Args:
        changing: Changes settings.
    """

    def __init__(self, changing: Changing) -> None:
        self._changing = changing

    def setter(self, path: str) -> Setter:
        """The handler that sets one thing for the user `admin`."""

        async def set_it(request: Request[Any]) -> Reply:
            return await self._set(path, request, USER)

        return set_it

    async def set_title(self, request: Request[TextValue]) -> Reply:
        """Say what is on."""
        return await self._set("streamtitle", request, str(request.principals[0].credential_id))

    async def _set(self, path: str, request: Request[Any], actor: str) -> Reply:
        is_bare = isinstance(request.body, list)
        value = request.body if is_bare else request.body.value
        try:
            return basic_response(await self._changing.set(path, value, actor=actor))
        except Unfit as unfit:
            where = unfit.where if is_bare else f"value{unfit.where}"
            problem = FieldProblem(where, unfit.expected)
            raise BadRequest(f"{where or 'body'}: {unfit.expected}", errors=[problem]) from unfit


def setting_routes(handlers: SettingHandlers) -> list[Route]:
    """A setter for each setting, and the one for bots."""
    return [
        *(
            admin_route(
                "POST",
                f"/api/admin/config/{path}",
                handlers.setter(path),
                body=BODIES[rule.shape],
                body_limit=LOGO_BODY_LIMIT if path == "logo" else BODY_LIMIT,
                returns=BasicResponse,
                summary=f"Set {rule.what}",
            )
            for path, rule in RULES.items()
        ),
        Route(
            "POST",
            "/api/integrations/streamtitle",
            handlers.set_title,
            api=INTEGRATION_API,
            access=Scope(ADMIN_ACCESS, kinds=(INTEGRATION,)),
            body=TextValue,
            body_limit=BODY_LIMIT,
            returns=BasicResponse,
        ),
    ]
