"""Segments go to a bucket of S3, and viewers with them."""
