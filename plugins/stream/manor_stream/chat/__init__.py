"""The chat beside the video: two sockets, one bus."""
