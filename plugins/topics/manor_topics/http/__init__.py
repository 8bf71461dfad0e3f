"""The operations over HTTP: requests in, answers out."""
