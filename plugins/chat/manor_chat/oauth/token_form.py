"""What a program sends for tokens (RFC 6749, sections 2.3.1 and 4.1.3)."""

from __future__ import annotations

import base64
from urllib.parse import parse_qsl, unquote_plus

from manor_chat.oauth.granting import fault

_MOST_FIELDS = 50


def read_token_form(body: bytes, authorization: str) -> dict[str, str]:
    """The members of the form; id and secret may stand in the header instead, where libraries put them by default.

    Args:
        body: The form.
        authorization: The header of that name; of schemes, only Basic is read.

    Raises:
        BadRequest: 400: one of them cannot be read, or a member is there twice.
    """
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise fault("get_access_token.bad_request", "invalid_request: The form cannot be read") from error
    if len({name for name, _ in pairs}) != len(pairs):
        raise fault("get_access_token.bad_request", "invalid_request: A member of the form is there twice")
    return dict(pairs) | _credentials(authorization)


def _credentials(authorization: str) -> dict[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return {}
    try:
        client_id, _, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError as error:
        raise fault("get_access_token.bad_request", "invalid_request: The header cannot be read") from error
    return {"client_id": unquote_plus(client_id), "client_secret": unquote_plus(secret)}
