"""What the journal gets to know of each call: who asked what of whom, and how it ended; no secrets and no hashes."""

from __future__ import annotations

from typing import Any

import structlog

from manor_hostservices.helper.peers import Peer
from manor_hostservices.verbs import (
    AddKey,
    AddUser,
    CancelJob,
    DeleteUser,
    ReadDataSize,
    ReadJobLog,
    ReadJournal,
    ReadKeys,
    RemoveKey,
    SetAutoUpgrade,
    SetBackupStore,
    SetSsh,
    SetTimezone,
    StartJob,
    SwitchService,
    Verb,
)

LONGEST = 100
"""Characters of a name; the rest is not looked at."""

log = structlog.get_logger("manor_hostservices.helper")


def tell(peer: Peer, verb: Verb[Any] | None, result: str, seconds: float) -> None:
    """Write a call down.

    Args:
        peer: Who asked.
        verb: What was asked; None when that could not be read.
        result: `done`, or the kind of the refusal.
        seconds: How long it took.
    """
    asked = "?" if verb is None else str(verb.__struct_config__.tag)
    values = {} if verb is None else {name: _plain(value) for name, value in subject(verb).items()}
    log.info("asked", verb=asked, **values, uid=peer.uid, pid=peer.pid, result=result, ms=round(seconds * 1000))


def tell_unexpected(error: Exception, peer: Peer, verb: Verb[Any]) -> None:
    """Write down what nobody thought of."""
    log.error("a verb failed unexpectedly", verb=verb.__struct_config__.tag, uid=peer.uid, pid=peer.pid, exc_info=error)


def tell_no_room(error: OSError) -> None:
    """Write down that nobody can connect now."""
    log.error("no connection can be taken", reason=error.strerror)


def subject(verb: Verb[Any]) -> dict[str, object]:
    """What a verb is about, without what is nobody's business."""
    match verb:
        case SwitchService():
            return {"service": verb.key, "on": verb.on}
        case ReadJournal() | ReadDataSize():
            return {"service": verb.key}
        case AddUser() | DeleteUser():
            return {"name": verb.name}
        case ReadKeys() | AddKey() | RemoveKey():
            return {"user": verb.user}
        case SetSsh():
            return {"enable": verb.enable, "passwords": verb.password_authentication, "force": verb.force}
        case SetTimezone():
            return {"zone": verb.zone}
        case SetAutoUpgrade():
            return {"enable": verb.enable, "reboot": verb.allow_reboot}
        case StartJob():
            return {"id": verb.id, "kind": verb.kind, "snapshot": verb.snapshot, "dry_run": verb.dry_run}
        case CancelJob() | ReadJobLog():
            return {"id": verb.id}
        case SetBackupStore():
            return {"bucket": verb.bucket, "test": verb.test}
    return {}


def _plain(value: object) -> object:
    """A value that can neither end the line nor look like another one's end."""
    if not isinstance(value, str):
        return value
    return value[:LONGEST].encode("unicode_escape").decode().replace('"', "'")
