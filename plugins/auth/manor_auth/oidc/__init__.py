"""Signing in with accounts at other providers (OpenID Connect Core 1.0): one engine, providers by configuration."""
