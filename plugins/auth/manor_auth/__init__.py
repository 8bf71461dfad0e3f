"""People sign up, sign in, and hold credentials: the auth plugin."""
