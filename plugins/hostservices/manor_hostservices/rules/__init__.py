"""What may be said about accounts, keys and zones: pure rules, checked by the daemon and again by the root helper."""

from manor_hostservices.rules.accounts import check_account_name, check_password, is_reserved
from manor_hostservices.rules.public_keys import PublicKey, read_public_key
from manor_hostservices.rules.refusing import Rule
from manor_hostservices.rules.zones import check_zone

__all__ = ["PublicKey", "Rule", "check_account_name", "check_password", "check_zone", "is_reserved", "read_public_key"]
