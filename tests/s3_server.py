"""A server that speaks S3, as a process of its own on loopback. It checks every signature."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from manor.blobs.signing import Query, amz_date, authorization, query_string
from manor.clock import SystemClock

_OPENER = build_opener(ProxyHandler({}))
_NUMBERS = count(1)

POLICY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'


@dataclass(frozen=True)
class S3Server:
    """The running server.

    Args:
        url: Without a trailing slash.
        access_key: Of somebody who may do everything.
        secret_key: Theirs.
    """

    url: str
    access_key: str = ""
    secret_key: str = ""

    def new_bucket(self) -> str:
        """Make a bucket that nobody else has."""
        name = f"bucket-{next(_NUMBERS)}"
        self.fetch("PUT", f"/{name}")
        return name

    def fetch(self, method: str, path: str, query: Query = ()) -> tuple[Mapping[str, str], bytes]:
        """Ask past the code under test; gives headers and body."""
        digest = sha256(b"").hexdigest()
        headers = {"x-amz-date": amz_date(SystemClock().now()), "x-amz-content-sha256": digest}
        signature = authorization(
            method,
            path,
            query,
            {**headers, "host": self.url.partition("//")[2]},
            digest,
            access_key=self.access_key,
            secret_key=self.secret_key,
            region="us-east-1",
            service="s3",
        )
        return _ask(f"{self.url}{path}?{query_string(query)}", method, b"", {**headers, "Authorization": signature})


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """The server; one for all tests of a process, each with buckets of its own."""
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-p", "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            said = ""
            while "Running on" not in said:
                said = process.stderr.readline()
                assert said, "the S3 server did not start"
            url = re.search(r"http://[0-9.:]+", said)
            assert url is not None, said
            # It tells of every request; a full pipe would stop it.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield _with_a_user(url[0])
        finally:
            process.kill()


def _with_a_user(url: str) -> S3Server:
    _ask_iam(url, Action="CreateUser", UserName="manor")
    _ask_iam(url, Action="PutUserPolicy", UserName="manor", PolicyName="all", PolicyDocument=POLICY)
    made = _ask_iam(url, Action="CreateAccessKey", UserName="manor")
    keys = dict(re.findall(r"<(AccessKeyId|SecretAccessKey)>([^<]+)<", made))
    # From here on it believes nobody without a signature.
    _ask(f"{url}/moto-api/reset-auth", "POST", b"0", {"Content-Type": "text/plain"})
    return S3Server(url, keys["AccessKeyId"], keys["SecretAccessKey"])


def _ask_iam(url: str, **parameters: str) -> str:
    scope = "nobody/20200101/us-east-1/iam/aws4_request"
    headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"}
    _, body = _ask(url, "POST", urlencode({"Version": "2010-05-08", **parameters}).encode(), headers)
    return body.decode()


def _ask(url: str, method: str, body: bytes, headers: Mapping[str, str]) -> tuple[Mapping[str, str], bytes]:
    request = Request(url, data=body or None, method=method, headers=dict(headers))
    with _OPENER.open(request, timeout=10) as answer:
        return dict(answer.headers.items()), answer.read()
