"""Threads as those see them who follow them."""
