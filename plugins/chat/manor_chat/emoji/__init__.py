"""Emoji that people make."""
