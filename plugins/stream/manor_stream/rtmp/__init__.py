"""RTMP as servers speak it with encoders: bytes in, events out, no sockets.

The protocol is that of Adobe's "Real Time Messaging Protocol 1.0" and "Action Message Format (AMF 0)"; what encoders do
beside the specification is said where it matters.
"""
