"""Where encoders come in: sockets around the RTMP of `manor_stream.rtmp`."""
