"""What browsers are sent is encrypted as RFC 8291 has it, and signed as RFC 8292 has it."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jws
from joserfc.jwk import ECKey

from manor import ManorError
from manor_topics.push.encryption import MOST_BYTES, encrypt
from manor_topics.push.vapid import open_key
from tests.push_services import decoded, decrypted, encoded, private_key

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
TEXT = b"When I grow up, I want to be a watermelon"
SECRET = "BTBZMqHH6r4Tts7J_aSIgg"
BROWSER = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
BROWSER_PUBLIC = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
SENDER = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
SALT = "DGv6ra1nlYgDCS1FRnbzlw"
BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7"
    "A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def test_the_example_of_rfc_8291_comes_out_byte_for_byte() -> None:
    body = encrypt(TEXT, decoded(BROWSER_PUBLIC), decoded(SECRET), key=private_key(SENDER), salt=decoded(SALT))

    assert encoded(body) == BODY
    assert decrypted(decoded(BODY), private_key(BROWSER), decoded(SECRET)) == TEXT


def test_the_same_text_is_never_encrypted_twice_in_the_same_way() -> None:
    bodies = {encrypt(TEXT, decoded(BROWSER_PUBLIC), decoded(SECRET)) for _ in range(3)}

    assert len({body[:16] for body in bodies}) == len({body[21:86] for body in bodies}) == 3
    assert {decrypted(body, private_key(BROWSER), decoded(SECRET)) for body in bodies} == {TEXT}


def test_the_longest_text_fills_4096_bytes_and_a_longer_one_is_refused() -> None:
    assert len(encrypt(b"x" * MOST_BYTES, decoded(BROWSER_PUBLIC), decoded(SECRET))) == 4096
    with pytest.raises(ValueError, match="one record"):
        encrypt(b"x" * (MOST_BYTES + 1), decoded(BROWSER_PUBLIC), decoded(SECRET))


# --- VAPID ---------------------------------------------------------------------------------------------------------


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "push" / "vapid.pem"
    before = os.umask(0)
    try:
        made = open_key(path)
    finally:
        os.umask(before)

    assert (path.stat().st_mode & 0o777, [file.name for file in path.parent.iterdir()]) == (0o600, ["vapid.pem"])
    assert open_key(path).public == made.public
    assert len(decoded(made.public)) == 65


def test_a_signature_is_for_one_push_service_and_half_a_day(tmp_path: Path) -> None:
    key = open_key(tmp_path / "vapid.pem")
    header = key.authorization("https://push.example.org", "mailto:admin@example.org", NOON)

    scheme, token, shown = header.replace(",", "").split(" ")
    point = decoded(key.public)
    public = ECKey.import_key({"kty": "EC", "crv": "P-256", "x": encoded(point[1:33]), "y": encoded(point[33:])})
    signed = jws.deserialize_compact(token.removeprefix("t="), public, algorithms=["ES256"])
    assert (scheme, shown) == ("vapid", f"k={key.public}")
    assert signed.protected == {"typ": "JWT", "alg": "ES256"}
    assert json.loads(signed.payload) == {
        "aud": "https://push.example.org",
        "exp": int(NOON.timestamp()) + 12 * 3600,
        "sub": "mailto:admin@example.org",
    }


def test_a_server_without_a_contact_names_none(tmp_path: Path) -> None:
    header = open_key(tmp_path / "vapid.pem").authorization("https://push.example.org", "", NOON)

    assert set(json.loads(decoded(header.split(".")[1]))) == {"aud", "exp"}


def test_a_file_that_holds_no_such_key_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    other = generate_private_key(SECP384R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for content, said in ((b"no key", "no private key"), (other, "P-256")):
        path = tmp_path / "vapid.pem"
        path.write_bytes(content)
        with pytest.raises(ManorError, match=said):
            open_key(path)
        assert path.read_bytes() == content


def test_a_folder_in_the_place_of_the_key_is_said(tmp_path: Path) -> None:
    with pytest.raises(ManorError, match=f"the VAPID key {tmp_path}"):
        open_key(tmp_path)
