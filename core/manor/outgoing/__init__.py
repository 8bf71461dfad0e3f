"""Requests to other servers: one client, which reaches what others name only where that does no harm."""

from manor.outgoing.client import Outgoing, Response
from manor.outgoing.refusals import OutgoingFailed, OutgoingRefused
from manor.outgoing.signing import new_signing_secret, signed_headers
from manor.outgoing.targets import Targets, is_public

__all__ = [
    "Outgoing",
    "OutgoingFailed",
    "OutgoingRefused",
    "Response",
    "Targets",
    "is_public",
    "new_signing_secret",
    "signed_headers",
]
