"""Every page for people, group by group."""

from __future__ import annotations

from manor import Route
from manor_auth.pages.account import AccountPages, account_pages
from manor_auth.pages.arriving import ArrivingPages, arriving_pages
from manor_auth.pages.face import Face
from manor_auth.pages.logins import LoginsPages, logins_pages
from manor_auth.pages.resets import ResetPages, reset_pages
from manor_auth.pages.sign_in import SignInPages, sign_in_pages
from manor_auth.pages.sign_up import SignUpPages, sign_up_pages
from manor_auth.parts import Parts


def every_page(parts: Parts, face: Face) -> list[Route]:
    """Each group's handlers get the parts that they need."""
    context = parts.context
    signing_in = SignInPages(
        face,
        parts.signing_in,
        parts.web_sessions,
        parts.second_steps,
        is_open=lambda: context.identity.config.registration != "closed",
        buttons=parts.providers.shown,
    )
    account = AccountPages(face, context, parts.sessions, parts.passwords, parts.second_factor)
    arriving = ArrivingPages(face, context, parts.inviting, parts.setting_up, parts.profile)
    return [
        *sign_in_pages(signing_in, face),
        *sign_up_pages(SignUpPages(face, context, parts.registering, parts.inviting), face),
        *reset_pages(ResetPages(face, parts.passwords), face),
        *account_pages(account, face),
        *logins_pages(LoginsPages(face, parts.provider_sign_in, parts.linking), face),
        *arriving_pages(arriving, face),
    ]
