"""AWS's Signature Version 4, as its documentation describes it. Pure.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

ALGORITHM = "AWS4-HMAC-SHA256"

Query = Sequence[tuple[str, str]]


def encoded(text: str, *, keep: str = "") -> str:
    """Percent-encode as the signature wants it: all but RFC 3986's unreserved characters, and `keep`."""
    return quote(text, safe=f"-._~{keep}")


def query_string(query: Query) -> str:
    """A query in the form in which it is signed; to be sent in the same."""
    return "&".join(f"{name}={value}" for name, value in sorted((encoded(n), encoded(v)) for n, v in query))


def amz_date(at: datetime) -> str:
    """The time as `x-amz-date` has it."""
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def authorization(
    method: str,
    path: str,
    query: Query,
    headers: Mapping[str, str],
    payload_hash: str,
    *,
    access_key: str,
    secret_key: str,
    region: str,
    service: str,
) -> str:
    """The value of `Authorization` for a request.

    Args:
        method: Upper case.
        path: Percent-encoded as it is sent.
        query: Not encoded.
        headers: All that are signed, with `host` and `x-amz-date` among them.
        payload_hash: SHA-256 of the body in hexadecimal, as `x-amz-content-sha256` has it.
        access_key: Says whose the request is.
        secret_key: Proves it.
        region: Of the service.
        service: `s3`, say.
    """
    lines = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    signed = ";".join(sorted(lines))
    listed = "".join(f"{name}:{lines[name]}\n" for name in sorted(lines))
    request = "\n".join([method, path, query_string(query), listed, signed, payload_hash])
    date = lines["x-amz-date"]
    scope = f"{date[:8]}/{region}/{service}/aws4_request"
    text = "\n".join([ALGORITHM, date, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{secret_key}".encode()
    for part in (date[:8], region, service, "aws4_request"):
        key = _hmac(key, part)
    signature = _hmac(key, text).hex()
    return f"{ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={signed}, Signature={signature}"


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
