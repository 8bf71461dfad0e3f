"""People in chat: how they sign in, what they are called, who sees what of them, and bots."""
