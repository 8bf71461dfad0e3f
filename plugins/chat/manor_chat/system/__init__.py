"""The server as chat's clients see it: what it can do, whether it is well, and what it does not have."""
