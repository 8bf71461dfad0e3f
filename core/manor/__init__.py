"""Manor."""
