"""Tokens: what is believed, and all that is not."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey

from manor import new_id
from manor.testing import SetClock
from manor_auth.keys import Algorithm, KeyRing, SigningKey
from manor_auth.tokens import ACCESS, REFRESH, Tokens, looks_like_token

PERSON, SESSION = new_id(), new_id()


@pytest.fixture
def keys(tmp_path: Path, clock: SetClock) -> KeyRing:
    ring = KeyRing(tmp_path / "keys", clock, lambda: timedelta(days=7))
    ring.open()
    return ring


@pytest.fixture
def tokens(keys: KeyRing, clock: SetClock) -> Tokens:
    return Tokens(keys, clock, "https://manor.example.org")


def access(tokens: Tokens, clock: SetClock, life: timedelta = timedelta(minutes=30)) -> str:
    expires_at = clock.now() + life
    return tokens.issue(ACCESS, user_id=PERSON, session_id=SESSION, expires_at=expires_at, scopes=["*"])


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def unpacked(token: str, index: int) -> dict[str, Any]:
    text = token.split(".")[index]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return decoded


def test_a_token_says_what_the_contract_names(tokens: Tokens, keys: KeyRing, clock: SetClock) -> None:
    token = access(tokens, clock)

    now = int(clock.now().timestamp())
    assert unpacked(token, 0) == {"alg": "ES256", "kid": keys.current.kid, "typ": "at+jwt"}
    claims = unpacked(token, 1)
    assert isinstance(claims.pop("jti"), str)
    assert claims == {
        "iss": "https://manor.example.org",
        "sub": str(PERSON),
        "aud": "manor",
        "iat": now,
        "nbf": now,
        "exp": now + 1800,
        "sid": str(SESSION),
        "scope": "*",
    }


def test_what_was_issued_is_read(tokens: Tokens, clock: SetClock) -> None:
    claims = tokens.read(ACCESS, access(tokens, clock))

    assert claims is not None
    assert (claims.sub, claims.sid, claims.scopes) == (PERSON, SESSION, frozenset({"*"}))


def test_neither_kind_is_taken_for_the_other(tokens: Tokens, clock: SetClock) -> None:
    later = clock.now() + timedelta(days=7)
    refresh = tokens.issue(REFRESH, user_id=PERSON, session_id=SESSION, expires_at=later)

    assert tokens.read(ACCESS, refresh) is None
    assert tokens.read(REFRESH, access(tokens, clock)) is None


@pytest.mark.parametrize(
    ("jump", "is_read"),
    [
        (timedelta(minutes=30, seconds=29), True),
        (timedelta(minutes=30, seconds=30), False),
        (timedelta(seconds=-30), True),
        (timedelta(seconds=-31), False),
        (timedelta(days=-365), False),
        (timedelta(days=365), False),
    ],
)
def test_clocks_may_be_half_a_minute_apart(tokens: Tokens, clock: SetClock, jump: timedelta, is_read: bool) -> None:
    token = access(tokens, clock)
    clock.set(clock.now() + jump)

    assert (tokens.read(ACCESS, token) is not None) is is_read


def resigned(token: str, key: Any, alg: str, **changed: Any) -> str:
    header = {**unpacked(token, 0), "alg": alg, **changed}
    payload = json.dumps(unpacked(token, 1)).encode()
    return jws.serialize_compact(header, payload, key, algorithms=[alg])


def unsigned(token: str, keys: KeyRing, alg: str) -> str:
    return f"{part({**unpacked(token, 0), 'alg': alg})}.{token.split('.')[1]}."


def with_the_public_key_as_a_secret(token: str, keys: KeyRing) -> str:
    head = part({**unpacked(token, 0), "alg": "HS256"})
    signed = f"{head}.{token.split('.')[1]}"
    signature = hmac.digest(keys.current.pair.as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


FORGERIES: dict[str, Callable[[str, KeyRing], str]] = {
    "no algorithm": lambda token, keys: unsigned(token, keys, "none") + "AA",
    "no algorithm, in capitals": lambda token, keys: unsigned(token, keys, "NONE") + "AA",
    "no signature": lambda token, keys: unsigned(token, keys, "none"),
    "the signature taken away": lambda token, keys: token.rpartition(".")[0] + ".",
    "HS256 with the public key": with_the_public_key_as_a_secret,
    "a key of one's own under our id": lambda token, keys: resigned(token, ECKey.generate_key("P-256"), "ES256"),
    "a key of one's own in the header": lambda token, keys: _embedded(token),
    "a key under no known id": lambda token, keys: resigned(token, keys.current.pair, "ES256", kid="../../etc/passwd"),
    "another algorithm's name": lambda token, keys: ".".join(
        [part({**unpacked(token, 0), "alg": "ES384"}), *token.split(".")[1:]]
    ),
    "another person": lambda token, keys: _changed(token, sub=str(new_id())),
    "a longer life": lambda token, keys: _changed(token, exp=4_000_000_000),
    "something critical": lambda token, keys: resigned(token, keys.current.pair, "ES256", crit=["b64"], b64=False),
    "a header that is a list": lambda token, keys: ".".join([part([1]), *token.split(".")[1:]]),
    "another issuer": lambda token, keys: _resealed(token, keys, iss="https://elsewhere.example"),
    "another audience": lambda token, keys: _resealed(token, keys, aud="elsewhere"),
    "a person that is no id": lambda token, keys: _resealed(token, keys, sub="root"),
    "an end that is no number": lambda token, keys: _resealed(token, keys, exp="never"),
}


def _embedded(token: str) -> str:
    own = ECKey.generate_key("P-256")
    return resigned(token, own, "ES256", jwk=own.as_dict(private=False))


def _changed(token: str, **claims: Any) -> str:
    head, _, signature = token.split(".")
    return f"{head}.{part({**unpacked(token, 1), **claims})}.{signature}"


def _resealed(token: str, keys: KeyRing, **claims: Any) -> str:
    payload = json.dumps({**unpacked(token, 1), **claims}).encode()
    return jws.serialize_compact(unpacked(token, 0), payload, keys.current.pair, algorithms=["ES256"])


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_token_says_nothing(tokens: Tokens, keys: KeyRing, clock: SetClock, forgery: str) -> None:
    token = access(tokens, clock)
    forged = FORGERIES[forgery](token, keys)

    assert forged != token
    assert tokens.read(ACCESS, forged) is None


@pytest.fixture
def both(tmp_path: Path, clock: SetClock) -> KeyRing:
    """A key of each algorithm, ES256 first."""
    wanted: list[Algorithm] = ["ES256"]
    ring = KeyRing(tmp_path / "both", clock, lambda: timedelta(days=7), lambda: wanted[-1])
    ring.open()
    wanted.append("EdDSA")
    ring.rotate()
    return ring


def swapped(token: str, *, key: SigningKey, named: SigningKey, alg: str) -> str:
    """Signed by one key, in the name of another one, with an algorithm said."""
    header = {**unpacked(token, 0), "alg": alg, "kid": named.kid}
    signing = f"{part(header)}.{token.split('.')[1]}".encode()
    signer = jws.JWSRegistry.algorithms[key.algorithm]
    return f"{signing.decode()}.{base64.urlsafe_b64encode(signer.sign(signing, key.pair)).rstrip(b'=').decode()}"


def test_both_algorithms_are_read_each_with_its_own_key(both: KeyRing, clock: SetClock) -> None:
    tokens = Tokens(both, clock, "https://manor.example.org")
    token = access(tokens, clock)
    assert unpacked(token, 0)["alg"] == "EdDSA"

    for key in both.all():
        assert tokens.read(ACCESS, swapped(token, key=key, named=key, alg=key.algorithm)) is not None


@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "Ed25519", "ES384", "HS256", "none", ""])
@pytest.mark.parametrize("signer", [0, 1])
@pytest.mark.parametrize("named", [0, 1])
def test_no_algorithm_is_swapped_for_that_of_a_key(
    both: KeyRing, clock: SetClock, alg: str, signer: int, named: int
) -> None:
    tokens = Tokens(both, clock, "https://manor.example.org")
    key, name = both.all()[signer], both.all()[named]
    forged = swapped(access(tokens, clock), key=key, named=name, alg=alg)

    is_honest = key == name and alg == key.algorithm
    assert (tokens.read(ACCESS, forged) is not None) is is_honest


def test_the_public_half_of_an_ed25519_key_is_no_secret(both: KeyRing, clock: SetClock) -> None:
    tokens = Tokens(both, clock, "https://manor.example.org")

    assert tokens.read(ACCESS, with_the_public_key_as_a_secret(access(tokens, clock), both)) is None


def test_tokens_of_a_replaced_key_are_read_and_those_of_a_revoked_one_not(
    tokens: Tokens, keys: KeyRing, clock: SetClock
) -> None:
    first = keys.current.kid
    token = access(tokens, clock)
    keys.rotate()

    assert tokens.read(ACCESS, token) is not None
    keys.revoke(first)
    assert tokens.read(ACCESS, token) is None


@given(st.text(max_size=200) | st.from_regex(r"eyJ[\w-]{0,40}\.[\w-]{1,40}\.[\w-]{1,90}", fullmatch=True))
def test_nothing_that_somebody_sends_makes_reading_fail(text: str) -> None:
    assert looks_like_token(text) in (True, False)


@pytest.mark.parametrize(
    "text", ["eyJ.e.e", "eyJhbGciOiJFUzI1NiJ9.e30.AA", "eyJ" + "A" * 5000 + ".A.A", "eyJ€.A.A", ""]
)
def test_what_only_looks_like_a_token_says_nothing(tokens: Tokens, text: str) -> None:
    assert tokens.read(ACCESS, text) is None


def test_each_token_has_an_id_of_its_own(tokens: Tokens, clock: SetClock) -> None:
    assert access(tokens, clock) != access(tokens, clock)
