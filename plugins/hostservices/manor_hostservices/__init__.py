"""Hostservices: the server itself, managed from a phone."""
