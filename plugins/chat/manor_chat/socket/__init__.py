"""The WebSocket: who hears what, in which order, and from where a client that comes back goes on."""
