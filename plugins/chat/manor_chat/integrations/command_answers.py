"""What slash commands answer."""

from __future__ import annotations

from typing import Any

import msgspec

from manor_chat.domain.attachments import without_integrations

IN_CHANNEL, EPHEMERAL = "in_channel", "ephemeral"
MOST_EXTRA = 50


class CommandResponse(msgspec.Struct, frozen=True, kw_only=True):
    """An answer: said in the channel, or to whoever typed the command alone."""

    response_type: str = ""
    text: str = ""
    username: str = ""
    channel_id: str = ""
    icon_url: str = ""
    type: str = ""
    props: dict[str, Any] | None = None
    goto_location: str = ""
    trigger_id: str = ""
    skip_slack_parsing: bool = False
    attachments: list[dict[str, Any]] | None = None
    extra_responses: list[CommandResponse] | None = None

    @property
    def is_for_all(self) -> bool:
        """Whether everybody in the channel is to see it."""
        return self.response_type == IN_CHANNEL

    @property
    def says_something(self) -> bool:
        """Whether there is anything to see."""
        return bool(self.text or self.attachments)


def read_response(content_type: str, body: bytes) -> CommandResponse | None:
    """An answer as it came over HTTP: JSON where it says so, else the text itself; None when it cannot be read.

    An answer without a body says nothing.
    """
    if content_type.partition(";")[0].strip().lower() != "application/json":
        return CommandResponse(text=body.decode("utf-8", "replace").strip())
    if not body.strip():
        return CommandResponse()
    try:
        return msgspec.json.decode(body, type=CommandResponse)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def for_client(response: CommandResponse) -> CommandResponse:
    """The answer without where its buttons lead, which is nothing that clients may know."""
    extra = [_without_integrations(each) for each in response.extra_responses or ()]
    return msgspec.structs.replace(_without_integrations(response), extra_responses=extra or None)


def _without_integrations(response: CommandResponse) -> CommandResponse:
    shown = without_integrations({"attachments": response.attachments or []})
    return msgspec.structs.replace(
        response,
        attachments=shown["attachments"] if response.attachments else response.attachments,
        props=None if response.props is None else without_integrations(response.props),
        extra_responses=None,
    )


def only_them(text: str) -> CommandResponse:
    """An answer for whoever typed the command."""
    return CommandResponse(response_type=EPHEMERAL, text=text)
