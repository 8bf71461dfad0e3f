"""The OAuth provider's tables."""

from __future__ import annotations

from manor import Migration
from manor_chat.migrations.making import making
from manor_chat.tables.oauth import oauth_apps, oauth_codes, oauth_grants

STEP = Migration("0045_oauth", making(oauth_apps, oauth_codes, oauth_grants))
