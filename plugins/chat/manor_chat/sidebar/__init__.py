"""The sidebar: how somebody arranges the channels that they are in."""
