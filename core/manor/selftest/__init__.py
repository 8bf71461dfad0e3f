"""Proves on this machine's own disk what Manor promises about messages that it has acknowledged."""

from manor.selftest.child import Daemon, DaemonFailed
from manor.selftest.kills import Report, survive_kills
from manor.selftest.ledger import Acknowledged, Stored, faults
from manor.selftest.publishing import Publishers
from manor.selftest.scratch import Stopped, scratch, until_stopped

__all__ = [
    "Acknowledged",
    "Daemon",
    "DaemonFailed",
    "Publishers",
    "Report",
    "Stopped",
    "Stored",
    "faults",
    "scratch",
    "survive_kills",
    "until_stopped",
]
