"""What Gotify's senders send, beside the server's own API."""
