"""Statuses: how people are there, and what they say about it."""
