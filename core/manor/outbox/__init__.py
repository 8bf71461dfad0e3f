"""Durable subscriptions and deferred work: one queue for all, at least once, over restarts."""

from manor.events import Job
from manor.outbox.outbox import JobHandler, Outbox
from manor.outbox.store import MIGRATIONS, OutboxRow
from manor.outbox.worker import GiveUp, Kept, NotYet, delivery_attempt, delivery_number

__all__ = [
    "MIGRATIONS",
    "GiveUp",
    "Job",
    "JobHandler",
    "Kept",
    "NotYet",
    "Outbox",
    "OutboxRow",
    "delivery_attempt",
    "delivery_number",
]
