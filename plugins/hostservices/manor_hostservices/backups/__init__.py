"""Backups with restic."""
