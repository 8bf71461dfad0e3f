"""Posts: writing, reading, editing, deleting them, and the threads they make."""
