"""Teams: their settings in chat, who is in them, and the channels that every team has."""
