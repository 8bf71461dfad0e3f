"""Live streams: who hears what, where a stream begins, and when it has to end."""
