"""Webhooks out: a topic's messages are posted to addresses that its managers choose."""
