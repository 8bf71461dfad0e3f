"""Every operation, group by group."""

from __future__ import annotations

from manor import Route
from manor_auth.http.account import AccountHandlers, account_routes
from manor_auth.http.devices import DeviceHandlers, device_routes
from manor_auth.http.jwks import key_routes
from manor_auth.http.keys import KeyHandlers, key_list_routes
from manor_auth.http.me import MeHandlers, me_routes
from manor_auth.http.mfa import MfaHandlers, mfa_routes
from manor_auth.http.oidc import OidcHandlers, oidc_routes
from manor_auth.http.passwords import PasswordHandlers, password_routes
from manor_auth.http.personal import PersonalHandlers, personal_routes
from manor_auth.http.register import RegisterHandlers, register_routes
from manor_auth.http.sign_in import SignInHandlers, sign_in_routes
from manor_auth.pages.every_page import every_page
from manor_auth.pages.face import Face
from manor_auth.parts import Parts


def every_route(parts: Parts) -> list[Route]:
    """Each group's handlers get the parts that they need."""
    face = Face(parts.pages)
    return [
        *sign_in_routes(SignInHandlers(parts.signing_in, parts.sessions)),
        *oidc_routes(OidcHandlers(parts.provider_sign_in)),
        *register_routes(RegisterHandlers(parts.registering, parts.places)),
        *password_routes(PasswordHandlers(parts.passwords)),
        *me_routes(MeHandlers(parts.profile)),
        *mfa_routes(MfaHandlers(parts.second_factor)),
        *key_routes(parts.keys),
        *device_routes(DeviceHandlers(parts.devices)),
        *key_list_routes(KeyHandlers(parts.api_keys)),
        *account_routes(AccountHandlers(parts.account, parts.profile, face), face),
        *personal_routes(PersonalHandlers(parts.exporting, parts.erasing, parts.limits)),
        *every_page(parts, face),
    ]
