"""What a browser is sent, so that its push service cannot read it: RFC 8291, which is RFC 8188 with keys. Pure."""

from __future__ import annotations

import os
import struct

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SALT_BYTES = 16
RECORD_BYTES = 4096
LAST = b"\x02"
"""Ends the text of the last record; there is only one."""

MOST_BYTES = 4096 - 86 - 1 - 16
"""Of text: push services need take no more than 4096 bytes (RFC 8030, 7.2), of which head, end and mark take 103."""


def encrypt(
    text: bytes,
    public_key: bytes,
    secret: bytes,
    *,
    key: EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
) -> bytes:
    """A body with `Content-Encoding: aes128gcm` that only the browser reads.

    Args:
        text: At most `MOST_BYTES`.
        public_key: The browser's (`p256dh`), 65 bytes.
        secret: The browser's (`auth`), 16 bytes.
        key: Of this body alone; made when not given.
        salt: 16 bytes, of this body alone; made when not given.

    Raises:
        ValueError: The text is too long, or the public key is no point on P-256.
    """
    if len(text) > MOST_BYTES:
        raise ValueError(f"{len(text)} bytes are more than one record holds")
    key = generate_private_key(SECP256R1()) if key is None else key
    salt = os.urandom(SALT_BYTES) if salt is None else salt
    own = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    shared = key.exchange(ECDH(), EllipticCurvePublicKey.from_encoded_point(SECP256R1(), public_key))
    material = _derived(secret, shared, b"WebPush: info\0" + public_key + own, 32)
    content_key = _derived(salt, material, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derived(salt, material, b"Content-Encoding: nonce\0", 12)
    head = salt + struct.pack("!IB", RECORD_BYTES, len(own)) + own
    return head + AESGCM(content_key).encrypt(nonce, text + LAST, None)


def _derived(salt: bytes, material: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(material)
