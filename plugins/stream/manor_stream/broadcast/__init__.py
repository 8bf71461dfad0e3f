"""The broadcast: from a publisher's frames to segments that viewers fetch."""
