"""The host in an administrator's browser."""
