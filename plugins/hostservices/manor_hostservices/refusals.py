"""How the host says no: a kind for programs and a sentence for people, the same on both sides of the border."""

from __future__ import annotations

from typing import ClassVar, Literal

Kind = Literal["invalid", "missing", "conflict", "unavailable", "unconfigured", "failed"]


class HostRefusal(Exception):
    """The host does not do what was asked; nothing was changed unless the sentence says so.

    Args:
        detail: A sentence for a person, without secrets and without paths that only root may know.
    """

    kind: ClassVar[Kind] = "failed"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Invalid(HostRefusal):
    """A value breaks a rule."""

    kind = "invalid"


class Missing(HostRefusal):
    """There is no such account, key, service, backup or job."""

    kind = "missing"


class Conflicting(HostRefusal):
    """It is there already, or something that is there or running stands against it."""

    kind = "conflict"


class NotHere(HostRefusal):
    """This host cannot do it now: no helper, no such tool, or not with this back end."""

    kind: ClassVar[Kind] = "unavailable"


class Unconfigured(NotHere):
    """The root helper does not take its configuration: it does nothing at all until an administrator mends that."""

    kind = "unconfigured"


class Failed(HostRefusal):
    """A tool of the host failed; the sentence carries what it said."""

    kind = "failed"


REFUSALS: dict[Kind, type[HostRefusal]] = {
    refusal.kind: refusal for refusal in (Invalid, Missing, Conflicting, NotHere, Unconfigured, Failed)
}
