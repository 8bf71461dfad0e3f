"""Public keys of SSH, as one line of `authorized_keys` has them."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from manor_hostservices.rules.refusing import Rule

LONGEST = 8192
"""Characters of a line; an RSA key of 16384 bits has under 2,800."""

SMALLEST_RSA = 2048
LARGEST_RSA = 16_384
"""Bits; OpenSSH reads no larger one."""

_KINDS = ("ssh-ed25519", "ssh-rsa")
_BAD_KIND = "Invalid key type. Only ssh-ed25519 and ssh-rsa are supported."
_ED25519_BYTES = 32


@dataclass(frozen=True)
class PublicKey:
    """A key that was read.

    Args:
        line: The whole line, as it was given.
        blob: The key itself: two lines with the same are one key.
    """

    line: str
    blob: bytes


def read_public_key(line: str) -> PublicKey:
    """Read a line `TYPE BASE64 [COMMENT]`: no options before it, nothing after it, the inner type as the outer one.

    Raises:
        Rule: It is no such line, of another type, or an RSA key that is too small.
    """
    kind, _, rest = line.partition(" ")
    if kind not in _KINDS:
        raise Rule(_BAD_KIND)
    if len(line) > LONGEST:
        raise Rule("Invalid key: it is too long")
    if not line.isprintable():
        raise Rule("Invalid key: it must be one line without control characters")
    encoded = rest.partition(" ")[0]
    try:
        blob = base64.b64decode(encoded, validate=True)
        inner, *numbers = _strings(blob)
    except (binascii.Error, ValueError):
        raise Rule("Invalid key: what stands after the type is no key") from None
    if inner != kind.encode():
        raise Rule("Invalid key: it is of another type than it says")
    _check_numbers(kind, numbers)
    return PublicKey(line, blob)


def _strings(blob: bytes) -> list[bytes]:
    """The strings of RFC 4251, section 5, that a blob is made of, to its end."""
    found, at = [], 0
    while at < len(blob):
        size = int.from_bytes(blob[at : at + 4], "big")
        end = at + 4 + size
        if at + 4 > len(blob) or end > len(blob):
            raise ValueError("a string ends behind the blob")
        found.append(blob[at + 4 : end])
        at = end
    if not found:
        raise ValueError("there is nothing in it")
    return found


def _check_numbers(kind: str, numbers: list[bytes]) -> None:
    """Check what RFC 4253, section 6.6, and RFC 8709, section 4, say comes after the type."""
    if kind == "ssh-ed25519":
        if len(numbers) != 1 or len(numbers[0]) != _ED25519_BYTES:
            raise Rule("Invalid key: what stands after the type is no key")
        return
    if len(numbers) != 2:
        raise Rule("Invalid key: what stands after the type is no key")
    exponent, modulus = (int.from_bytes(number, "big", signed=True) for number in numbers)
    if exponent < 3 or exponent % 2 == 0 or modulus <= 0 or modulus % 2 == 0:
        raise Rule("Invalid key: what stands after the type is no key")
    if modulus.bit_length() < SMALLEST_RSA:
        raise Rule(f"Invalid key: an RSA key needs {SMALLEST_RSA} bits at least")
    if modulus.bit_length() > LARGEST_RSA:
        raise Rule(f"Invalid key: an RSA key has {LARGEST_RSA} bits at most")
