"""What was said goes after some weeks, and who said it later; a little at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manor import Storage, Sweep
from manor_stream.chat import store

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

EVERY_SECONDS = 600.0


class Retention(Sweep):
    """Removes what was kept long enough; messages first, for their writers stay as long as they do.

    Args:
        storage: Where it is.
        log: Where it is said that nothing can be removed just now.
    """

    def __init__(self, storage: Storage, log: BoundLogger) -> None:
        steps = (store.remove_old_messages, store.remove_old_people)
        super().__init__(
            storage, log, steps, batch=store.BATCH, every=EVERY_SECONDS, staying="old chat messages stay for now"
        )
