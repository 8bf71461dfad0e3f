"""Finding messages by their words: the one place that knows SQLite's full-text search."""
