"""What viewers fetch: playlists and segments (HTTP Live Streaming, RFC 8216), kept in memory."""
