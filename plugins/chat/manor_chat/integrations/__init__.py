"""Webhooks, slash commands, buttons and dialogs: programs beside people."""
