"""The stream's pages for people: watch, talk, and administer, in a browser."""
