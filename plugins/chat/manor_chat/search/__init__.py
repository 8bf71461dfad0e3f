"""Finding posts and files by what they say."""
