"""Chat: teams, channels and posts, by the Mattermost API v4."""
