"""What an admin may set under `[plugins.doorbell]`."""

from typing import Annotated

import msgspec
from msgspec import Meta


class DoorbellConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The doors, and how long their rings are remembered."""

    doors: Annotated[tuple[str, ...], Meta(min_length=1, description="The doors that have a bell.")] = ("front",)
    keep_days: Annotated[int, Meta(ge=1, le=3650, description="Days until a ring is forgotten.")] = 30
