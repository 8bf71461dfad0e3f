"""Proves on this machine's own disk what Manor promises about messages that it has acknowledged."""

from manor.selftest.child import Daemon, DaemonFailed
from manor.selftest.kills import Report, survive_kills
from manor.selftest.ledger import Acknowledged, Stored, faults
from manor.selftest.publishing import Publishers

__all__ = ["Acknowledged", "Daemon", "DaemonFailed", "Publishers", "Report", "Stored", "faults", "survive_kills"]
