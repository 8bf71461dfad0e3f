"""The OAuth 2.0 provider (RFC 6749): programs that act for people who let them."""
