"""The topics' pages for people: read, publish, search and be told, in a browser."""
