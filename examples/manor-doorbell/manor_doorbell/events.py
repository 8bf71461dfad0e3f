"""What the doorbell tells other plugins. Fields are only ever added."""

from typing import ClassVar
from uuid import UUID

from manor import Event


class DoorRang(Event, frozen=True):
    """Someone pressed a bell. Told once the ring is stored."""

    name: ClassVar[str] = "doorbell.door_rang"
    door: str
    ring_id: UUID
