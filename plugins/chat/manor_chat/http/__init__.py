"""The operations over HTTP: one module for each tag of the API."""
