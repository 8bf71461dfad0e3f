"""Rows and queries: plain functions that take the caller's transaction."""
