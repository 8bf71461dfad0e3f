"""A doorbell for Manor."""
