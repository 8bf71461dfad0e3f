"""ffmpeg at work: what it is told, how it is watched, and how its segments come back."""
