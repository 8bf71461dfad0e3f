"""What ntfy's clients send and hear, beside the server's own API."""
