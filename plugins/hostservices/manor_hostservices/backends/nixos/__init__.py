"""NixOS, as SelfPrivacy sets it up: settings in `userdata.json`, which the system's configuration reads."""

from manor_hostservices.backends.nixos.host import NixOs

__all__ = ["NixOs"]
