"""Live video with chat: the Owncast API, RTMP in and HLS out."""
