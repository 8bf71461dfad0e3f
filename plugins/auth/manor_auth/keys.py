"""The keys that sign tokens: files that only the daemon reads, one of them in use, the others on their way out."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, get_args

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from manor import Clock, ManorError

Algorithm = Literal["ES256", "EdDSA"]
"""What signs: ECDSA over P-256 (RFC 7518 section 3.4), or Ed25519 (RFC 8037). Nothing else is ever believed."""

ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)

_OF_CURVE: dict[str, Algorithm] = {"P-256": "ES256", "Ed25519": "EdDSA"}


class KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands in a key's file: the private JWK (RFC 7517), and when it was made."""

    created_at: datetime
    key: dict[str, str]


@dataclass(frozen=True)
class SigningKey:
    """A key pair; `kid` is its RFC 7638 thumbprint. The algorithm is its curve's, for as long as it lives."""

    kid: str
    created_at: datetime
    pair: ECKey | OKPKey
    algorithm: Algorithm


class KeyRing:
    """The newest key signs; those before it verify until the last token that they signed has expired.

    Files are small and are read and written at the start, at a rotation and at a revocation only, so that is done
    right on the loop.

    Args:
        folder: Holds a file for each key; made with mode 0700, its files with 0600.
        clock: Dates new keys.
        longest_life: How long the longest-lived token is good, as configured now: a replaced key verifies for as long.
        signing: The algorithm of new keys, as configured now; keys that there are keep theirs.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        longest_life: Callable[[], timedelta],
        signing: Callable[[], Algorithm] = lambda: "ES256",
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._longest_life = longest_life
        self._signing = signing
        self._keys: dict[str, SigningKey] = {}

    def open(self) -> None:
        """Read the keys; a first start makes one.

        Raises:
            ManorError: A file is no key, or may be read by others and that cannot be mended.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        keys = sorted((_read(path) for path in self._folder.glob("*.json")), key=lambda key: (key.created_at, key.kid))
        self._keys = {key.kid: key for key in keys}
        if not self._keys:
            self._add()

    @property
    def current(self) -> SigningKey:
        """The key that signs."""
        return self.all()[-1]

    def all(self) -> list[SigningKey]:
        """All of them, the current one last."""
        return list(self._keys.values())

    def find(self, kid: str) -> SigningKey | None:
        """The key of that id, if what it signed may still be good."""
        key = self._keys.get(kid)
        return None if key is None or self._is_over(key) else key

    def rotate(self) -> SigningKey:
        """Sign with a new key from here on; keys whose time is over go."""
        key = self._add()
        self.prune()
        return key

    def prune(self) -> list[str]:
        """Remove the keys that verify nothing any more, file and all; returns their ids."""
        over = [key.kid for key in self.all() if self._is_over(key)]
        for kid in over:
            self._remove(kid)
        return over

    def revoke(self, kid: str) -> bool:
        """End a key and every token that it signed, now. If it was the current one, a new one signs.

        Returns:
            Whether there was such a key.
        """
        if kid not in self._keys:
            return False
        if self.current.kid == kid:
            self._add()
        self._remove(kid)
        return True

    def public(self) -> list[dict[str, object]]:
        """The public halves, as a JWK set has them."""
        return [
            {**key.pair.as_dict(private=False), "kid": key.kid, "use": "sig", "alg": key.algorithm}
            for key in self.all()
            if not self._is_over(key)
        ]

    @property
    def is_as_configured(self) -> bool:
        """Whether the key that signs does it with the algorithm that new keys get."""
        return self.current.algorithm == self._signing()

    def _is_over(self, key: SigningKey) -> bool:
        keys = self.all()
        later = keys[keys.index(key) + 1 :]
        return bool(later) and self._clock.now() > later[0].created_at + self._longest_life()

    def _add(self) -> SigningKey:
        algorithm = self._signing()
        pair = ECKey.generate_key("P-256") if algorithm == "ES256" else OKPKey.generate_key("Ed25519")
        # Never older than the key it replaces, also when the clock was put back: the order of the files is the order
        # in which keys are in use.
        created_at = max([self._clock.now(), *(key.created_at + timedelta(microseconds=1) for key in self.all())])
        key = SigningKey(pair.thumbprint(), created_at, pair, algorithm)
        private = {name: str(value) for name, value in pair.as_dict(private=True).items() if name != "kid"}
        _write(self._path(key.kid), msgspec.json.encode(KeyFile(created_at, private)))
        self._keys[key.kid] = key
        return key

    def _remove(self, kid: str) -> None:
        del self._keys[kid]
        self._path(kid).unlink(missing_ok=True)
        _sync(self._folder)

    def _path(self, kid: str) -> Path:
        return self._folder / f"{kid}.json"


def _read(path: Path) -> SigningKey:
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(0o600)
        kept = msgspec.json.decode(path.read_bytes(), type=KeyFile)
        pair = (OKPKey if kept.key.get("kty") == "OKP" else ECKey).import_key({**kept.key})
        if pair.curve_name not in _OF_CURVE or not pair.is_private:
            raise ManorError(f"{path}: expected a private key of {' or '.join(_OF_CURVE)}")
    except OSError as error:
        raise ManorError(f"{path}: {error.strerror}") from error
    except (msgspec.MsgspecError, JoseError, ValueError, KeyError) as error:
        raise ManorError(f"{path}: is no signing key; move it away, and its tokens end") from error
    if kept.created_at.tzinfo is None:
        raise ManorError(f"{path}: created_at has no time zone")
    return SigningKey(pair.thumbprint(), kept.created_at, pair, _OF_CURVE[pair.curve_name])


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, and never readable by others, not even for a moment."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, for its mode
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
