"""What does not fit together: values that are each well-formed and cannot stand beside one another."""

from __future__ import annotations

from collections.abc import Iterator

from manor.config.decoding import Decoding
from manor.config.keys import suggestion
from manor.config.shape import Config

SHIPPED_TIERS = ("FREE", "ESSENTIALS", "TEAM", "BUSINESS")


def findings(config: Config, decoding: Decoding) -> Iterator[tuple[str, str]]:
    """The dotted keys of what does not fit, and why; silent about keys that are wrong by themselves."""
    server, smtp = config.server, config.server.smtp

    def are_fine(*keys: str) -> bool:
        return not any(decoding.has_failed(key) for key in keys)

    if are_fine("server.tls_cert", "server.tls_key"):
        if server.tls_cert is not None and server.tls_key is None:
            yield "server.tls_key", "is missing: server.tls_cert needs it"
        if server.tls_key is not None and server.tls_cert is None:
            yield "server.tls_cert", "is missing: server.tls_key needs it"
    if are_fine("server.smtp.from") and smtp.host and not smtp.sender:
        yield "server.smtp.from", "is missing: mail through server.smtp.host comes from someone"
    if are_fine("server.smtp.password", "server.smtp.password_file") and smtp.username and not smtp.password:
        yield "server.smtp.password_file", "is missing: server.smtp.username signs in with a password"
    blobs = server.blobs
    if blobs.kind == "s3" and are_fine("server.blobs"):
        for key in ("endpoint", "bucket", "access_key", "secret_key"):
            if not getattr(blobs, key):
                suffix = "_file" if key.endswith("_key") else ""
                yield f"server.blobs.{key}{suffix}", 'is missing: server.blobs.kind = "s3" needs it'
    tier, tiers = server.default_tier, {*SHIPPED_TIERS, *config.tiers}
    if are_fine("tiers", "server.default_tier") and tier not in tiers:
        there = ", ".join(sorted(tiers))
        yield "server.default_tier", f"there is no tier {tier!r}{suggestion(tier, tiers)}; there are {there}"
