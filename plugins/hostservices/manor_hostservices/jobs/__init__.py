"""Jobs: what takes longer than an answer, and goes on whoever asked for it."""
