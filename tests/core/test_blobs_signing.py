"""Signatures, against the examples that AWS publishes."""

from __future__ import annotations

import hashlib

import pytest

from manor.blobs.signing import Query, authorization, encoded, query_string

S3_KEYS = {"access_key": "AKIAIOSFODNN7EXAMPLE", "secret_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
SUITE_KEYS = {"access_key": "AKIDEXAMPLE", "secret_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}

NOTHING = hashlib.sha256(b"").hexdigest()


def s3_signature(method: str, path: str, query: Query, headers: dict[str, str], body: bytes = b"") -> str:
    digest = hashlib.sha256(body).hexdigest()
    own = {
        "Host": "examplebucket.s3.amazonaws.com",
        "x-amz-content-sha256": digest,
        "x-amz-date": "20130524T000000Z",
        **headers,
    }
    return authorization(method, path, query, own, digest, region="us-east-1", service="s3", **S3_KEYS)


def suite_signature(method: str, path: str, query: Query, headers: dict[str, str]) -> str:
    own = {"Host": "example.amazonaws.com", "X-Amz-Date": "20150830T123600Z", **headers}
    signed = authorization(method, path, query, own, NOTHING, region="us-east-1", service="service", **SUITE_KEYS)
    return signed.rpartition("Signature=")[2]


def test_a_header_is_as_the_documentation_of_s3_has_it() -> None:
    assert s3_signature("GET", "/test.txt", (), {"Range": "bytes=0-9"}) == (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "body", "signature"),
    [
        (
            "PUT",
            "/" + encoded("test$file.text"),
            (),
            {"Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
            b"Welcome to Amazon S3.",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            "GET",
            "/",
            [("lifecycle", "")],
            {},
            b"",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "GET",
            "/",
            [("prefix", "J"), ("max-keys", "2")],
            {},
            b"",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
    ids=["an object is put", "a part of the bucket is asked for", "objects are listed"],
)
def test_signatures_are_those_of_the_documentation_of_s3(
    method: str, path: str, query: Query, headers: dict[str, str], body: bytes, signature: str
) -> None:
    assert s3_signature(method, path, query, headers, body).endswith(f"Signature={signature}")


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "signature"),
    [
        ("GET", "/", (), {}, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "/", (), {}, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "GET",
            "/",
            [("Param2", "value2"), ("Param1", "value1")],
            {},
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "GET",
            "/" + encoded("\u1234"),
            (),
            {},
            "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
        ),
        (
            "GET",
            "/",
            (),
            {"My-Header1": " value1 ", "My-Header2": ' "a   b   c" '},
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ),
    ],
    ids=["vanilla", "post", "query order", "utf-8", "header value trim"],
)
def test_signatures_are_those_of_the_test_suite(
    method: str, path: str, query: Query, headers: dict[str, str], signature: str
) -> None:
    assert suite_signature(method, path, query, headers) == signature


def test_a_query_is_sorted_as_it_is_sent() -> None:
    assert query_string([("b", "2 &"), ("a", "ü/"), ("a", "")]) == "a=&a=%C3%BC%2F&b=2%20%26"
