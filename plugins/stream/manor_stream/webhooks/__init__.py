"""Webhooks out: what happens to the stream and in its chat is posted to addresses of the administrator's choice."""
