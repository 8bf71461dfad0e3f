"""What clients are told of the server: a flat map whose values are all strings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from manor import PluginContext
from manor_chat.config import ChatConfig
from manor_chat.domain.names import MESSAGE
from manor_chat.domain.people_rules import PASSWORD_LEAST
from manor_chat.http.api import VERSION

LOCALES = "en"

_BEFORE_SIGN_IN: Mapping[str, str] = {
    "Version": VERSION,
    "BuildNumber": VERSION,
    "BuildDate": "",
    "BuildHash": "",
    "BuildHashEnterprise": "none",
    "BuildEnterpriseReady": "false",
    "ServiceEnvironment": "production",
    "DefaultClientLocale": "en",
    "AvailableLocales": LOCALES,
    "EnableCustomBrand": "false",
    "CustomBrandText": "",
    "CustomDescriptionText": "",
    "EnableSignInWithEmail": "true",
    "EnableSignInWithUsername": "true",
    "EnableSignUpWithEmail": "true",
    "EnableSignUpWithGitLab": "false",
    "EnableSignUpWithGoogle": "false",
    "EnableSignUpWithOffice365": "false",
    "EnableSignUpWithOpenId": "false",
    "EnableLdap": "false",
    "EnableSaml": "false",
    "EnableGuestAccounts": "false",
    "PasswordRequireLowercase": "false",
    "PasswordRequireUppercase": "false",
    "PasswordRequireNumber": "false",
    "PasswordRequireSymbol": "false",
    "PasswordEnableForgotLink": "true",
    "ForgotPasswordLink": "",
    "HelpLink": "",
    "AboutLink": "",
    "TermsOfServiceLink": "",
    "PrivacyPolicyLink": "",
    "ReportAProblemLink": "",
    "SupportEmail": "",
    "NoAccounts": "false",
    "EnableMultifactorAuthentication": "true",
    "EnforceMultifactorAuthentication": "false",
    "PluginsEnabled": "false",
    "EnableDiagnostics": "false",
    "DiagnosticId": "",
    "TelemetryId": "",
    "AsymmetricSigningPublicKey": "",
    "AndroidLatestVersion": "",
    "AndroidMinVersion": "",
    "IosLatestVersion": "",
    "IosMinVersion": "",
    "AppDownloadLink": "",
    "AndroidAppDownloadLink": "",
    "IosAppDownloadLink": "",
    "EnableClientMetrics": "false",
    "EnableDesktopLandingPage": "false",
    "MobileExternalBrowser": "false",
    "IsDefaultMarketplace": "true",
    "EnableFile": "false",
    "FileLevel": "INFO",
    "WebsocketURL": "",
    "WebsocketPort": "80",
    "WebsocketSecurePort": "443",
}

_SIGNED_IN: Mapping[str, str] = {
    "CollapsedThreads": "always_on",
    "EnableEmojiPicker": "true",
    "EnableGifPicker": "false",
    "EnableMobileFileDownload": "true",
    "MaxPostSize": str(MESSAGE),
    "MaxNotificationsPerChannel": "1000",
    "EnablePermalinkPreviews": "false",
    "EnableInlineLatex": "true",
    "EnableLatex": "false",
    "EnableSVGs": "false",
    "EnableOAuthServiceProvider": "true",
    "EnablePostUsernameOverride": "true",
    "EnablePostIconOverride": "true",
    "EnableUserTypingMessages": "true",
    "TimeBetweenUserTypingUpdatesMilliseconds": "5000",
    "EnableUserStatuses": "true",
    "EnableCustomUserStatuses": "true",
    "EnableLastActiveTime": "true",
    "EnableTimedDND": "true",
    "EnableConfirmNotificationsToChannel": "true",
    "EnableChannelViewedMessages": "true",
    "TeammateNameDisplay": "username",
    "LockTeammateNameDisplay": "false",
    "EnableThemeSelection": "true",
    "AllowCustomThemes": "true",
    "DefaultTheme": "",
    "EnableTutorial": "false",
    "EnableOnboardingFlow": "false",
    "EnableReliableWebSockets": "true",
    "ExperimentalEnablePostMetadata": "true",
    "ExperimentalGroupUnreadChannels": "default_on",
    "EnableCrossTeamSearch": "true",
    "CloseUnusedDirectMessages": "false",
    "MinimumHashtagLength": "3",
    "SchemaVersion": "1",
    "SQLDriverName": "sqlite",
    "AllowSyncedDrafts": "true",
    "ScheduledPosts": "false",
    "PostPriority": "false",
    "PostAcknowledgements": "false",
    "EnableCustomGroups": "false",
    "EnableJoinLeaveMessageByDefault": "true",
    "DisableRefetchingOnBrowserFocus": "false",
    "DelayChannelAutocomplete": "false",
    "UniqueEmojiReactionLimitPerPost": "50",
    "EnableEmailInvitations": "true",
    "EnableBanner": "false",
    "RestrictLinkPreviews": "",
    "EnableTesting": "false",
    "EnableDeveloper": "false",
}


def client_config(context: PluginContext[ChatConfig], *, signed_in: bool) -> dict[str, str]:
    """What clients are told: all of it to those who have signed in, else what a sign-in page needs.

    The address of the WebSocket is left to the client, which derives it from the address that it came by.
    """
    config, registration = context.config, context.identity.config.registration
    told: dict[str, Any] = {
        **_BEFORE_SIGN_IN,
        "SiteName": config.site_name,
        "SiteURL": context.public_url,
        "EnableUserCreation": registration != "closed",
        "EnableOpenServer": registration == "open",
        "HasImageProxy": config.image_proxy,
        "PasswordMinimumLength": PASSWORD_LEAST,
        "EnableBotAccountCreation": config.bot_creation != "nobody",
    }
    if urlsplit(context.public_url).port:
        port = str(urlsplit(context.public_url).port)
        told |= {"WebsocketPort": port, "WebsocketSecurePort": port}
    if signed_in:
        told |= {
            **_SIGNED_IN,
            "MaxFileSize": config.max_file_bytes,
            "EnablePublicLink": config.public_links,
            "EnableCustomEmoji": config.custom_emoji,
            "EnableFileAttachments": config.file_attachments,
            "EnableMobileFileUpload": config.file_attachments,
            "EnableLinkPreviews": config.link_previews,
            "PostEditTimeLimit": config.post_edit_seconds,
            "RestrictDirectMessage": "team" if config.direct_messages_within_teams else "any",
            "EnableTeamCreation": config.team_creation,
            "EnableUserAccessTokens": config.personal_access_tokens,
            "EnableIncomingWebhooks": config.incoming_webhooks,
            "EnableOutgoingWebhooks": config.outgoing_webhooks,
            "EnableCommands": config.slash_commands,
            "EnableUserDeactivation": config.self_deactivation,
            "ShowEmailAddress": config.show_email_addresses,
            "ShowFullName": config.show_full_names,
        }
    return {name: _text(value) for name, value in told.items()}


class ToldConfig:
    """What clients are told of the configuration, in short: they fetch all of it when this is another.

    Args:
        context: The plugin's own, whose configuration a reload replaces.
    """

    def __init__(self, context: PluginContext[ChatConfig]) -> None:
        self._context = context
        self._config: ChatConfig | None = None
        self._digest = ""

    def digest(self) -> str:
        """Of all that somebody who has signed in is told, as it is now."""
        config = self._context.config
        if config is not self._config:
            told = json.dumps(client_config(self._context, signed_in=True), sort_keys=True)
            self._digest = hashlib.md5(told.encode(), usedforsecurity=False).hexdigest()
            self._config = config
        return self._digest


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
