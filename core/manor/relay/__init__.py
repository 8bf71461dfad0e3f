"""Streams in processes of their own: what a channel says crosses once, and leaves there to everybody who hears it.

The core gives such a process open sockets and bytes; it knows no channel, no principal and no protocol. Its own module
is `python -m manor.relay`, which imports as little as it can.
"""
