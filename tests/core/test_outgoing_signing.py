"""Signatures of what is posted: what the specification's own example has."""

from __future__ import annotations

from manor.outgoing.signing import new_signing_secret, signature, signed_headers

BODY = b'{"test": 2432232314}'
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_a_signature_is_the_one_of_the_specification() -> None:
    assert signature(SECRET, ID, 1614265330, BODY) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_while_a_secret_is_exchanged_there_are_two_signatures() -> None:
    other = new_signing_secret()
    headers = signed_headers([SECRET, other], ID, 1614265330, BODY)

    assert headers["webhook-id"] == ID
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"].split(" ") == [
        signature(SECRET, ID, 1614265330, BODY),
        signature(other, ID, 1614265330, BODY),
    ]
