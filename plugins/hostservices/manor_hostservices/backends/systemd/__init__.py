"""Debian and its like: systemd and logind by D-Bus, accounts, SSH and apt by their own files and programs."""

from manor_hostservices.backends.systemd.host import Systemd

__all__ = ["Systemd"]
