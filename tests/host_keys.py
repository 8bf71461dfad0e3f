"""Public keys of SSH, good and bad ones."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def new_key(comment: str = "ada@laptop") -> str:
    """A new Ed25519 key, as a line."""
    return f"{_line(ed25519.Ed25519PrivateKey.generate())} {comment}".strip()


def new_rsa_key(bits: int = 2048) -> str:
    """A new RSA key, as a line."""
    return _line(rsa.generate_private_key(public_exponent=65537, key_size=bits))


def packed(*strings: bytes) -> str:
    """Strings as a key's blob has them, in base64."""
    return base64.b64encode(b"".join(len(each).to_bytes(4, "big") + each for each in strings)).decode()


def bad_keys() -> dict[str, str]:
    """Lines that are no keys, or none that is taken, by what is wrong with them."""
    kind, blob = new_key("").split(" ")
    even = bytes([0, *[254] * 256])
    return {
        "nothing": "",
        "a type alone": kind,
        "a type and a blank": f"{kind} ",
        "no base64": f"{kind} KEY x",
        "base64 that is cut": f"{kind} {blob[:-5]}",
        "another inner type": f"ssh-rsa {blob}",
        "an inner type of another length": f"{kind} {packed(b'ssh-ed25519', b'0' * 31)}",
        "something behind the key": f"{kind} {packed(b'ssh-ed25519', b'0' * 32, b'more')}",
        "an empty blob": f"{kind} AAAA",
        "two lines": f"{kind} {blob}\n{kind} {blob}",
        "a line's end": f"{kind} {blob}\n",
        "options in front": f'command="id" {kind} {blob}',
        "a blank in front": f" {kind} {blob}",
        "a tab": f"{kind}\t{blob}",
        "a control character": f"{kind} {blob} ada\x1b[2J",
        "ECDSA": "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY=",
        "DSA": "ssh-dss AAAAB3NzaC1kc3M=",
        "a type of another case": f"SSH-ED25519 {blob}",
        "a small RSA key": new_rsa_key(1024),
        "an RSA key of nothing": f"ssh-rsa {packed(b'ssh-rsa', b'', b'')}",
        "an even modulus": f"ssh-rsa {packed(b'ssh-rsa', (3).to_bytes(1), even)}",
        "a long comment": f"{kind} {blob} {'x' * 9000}",
    }


def _line(private: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey) -> str:
    return private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
