"""Push: devices, and messages that reach them while nothing is open."""
