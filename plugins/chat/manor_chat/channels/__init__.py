"""Channels: making and changing them, who is in them, what they have read."""
