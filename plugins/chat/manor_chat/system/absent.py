"""What this server does not have: licensed features, with the operations that clients know of them."""

from __future__ import annotations

from dataclasses import dataclass

_RETENTION = (
    b'{"message_deletion_enabled":false,"file_deletion_enabled":false,"message_retention_cutoff":0,'
    b'"file_retention_cutoff":0}'
)


@dataclass(frozen=True)
class Absent:
    """A feature that is not there.

    Args:
        tag: The API's.
        code: The error's id.
        lines: Its operations, each a method and a path.
        status: 501, or 403 where clients expect that.
    """

    tag: str
    code: str
    lines: str
    status: int = 501


ABSENT = (
    Absent(
        "LDAP",
        "ent.ldap.disabled.app_error",
        """
        POST /users/migrate_auth/ldap
        POST /ldap/sync
        POST /ldap/test
        POST /ldap/test_connection
        POST /ldap/test_diagnostics
        POST /ldap/migrateid
        POST /ldap/users/{user_id}/group_sync_memberships
        POST /ldap/certificate/public
        DELETE /ldap/certificate/public
        POST /ldap/certificate/private
        DELETE /ldap/certificate/private
        """,
    ),
    Absent(
        "LDAP",
        "api.ldap_groups.license_error",
        """
        GET /ldap/groups
        POST /ldap/groups/{remote_id}/link
        DELETE /ldap/groups/{remote_id}/link
        """,
        status=403,
    ),
    Absent(
        "SAML",
        "api.admin.saml.not_available.app_error",
        """
        POST /users/migrate_auth/saml
        GET /saml/metadata
        POST /saml/metadatafromidp
        GET /saml/certificate/status
        POST /saml/certificate/idp
        DELETE /saml/certificate/idp
        POST /saml/certificate/public
        DELETE /saml/certificate/public
        POST /saml/certificate/private
        DELETE /saml/certificate/private
        POST /saml/reset_auth_data
        """,
    ),
    Absent(
        "compliance",
        "ent.compliance.licence_disable.app_error",
        """
        GET /compliance/reports
        POST /compliance/reports
        GET /compliance/reports/{report_id}
        GET /compliance/reports/{report_id}/download
        """,
    ),
    Absent(
        "elasticsearch",
        "ent.elasticsearch.test_config.license.error",
        """
        POST /elasticsearch/test
        POST /elasticsearch/purge_indexes
        """,
    ),
    Absent(
        "data retention",
        "ent.data_retention.generic.license.error",
        """
        GET /data_retention/policies
        POST /data_retention/policies
        GET /data_retention/policies_count
        GET /data_retention/policies/{policy_id}
        PATCH /data_retention/policies/{policy_id}
        DELETE /data_retention/policies/{policy_id}
        GET /data_retention/policies/{policy_id}/channels
        POST /data_retention/policies/{policy_id}/channels
        DELETE /data_retention/policies/{policy_id}/channels
        POST /data_retention/policies/{policy_id}/channels/search
        GET /data_retention/policies/{policy_id}/teams
        POST /data_retention/policies/{policy_id}/teams
        DELETE /data_retention/policies/{policy_id}/teams
        POST /data_retention/policies/{policy_id}/teams/search
        GET /users/{user_id}/data_retention/team_policies
        GET /users/{user_id}/data_retention/channel_policies
        """,
    ),
    Absent(
        "groups",
        "api.ldap_groups.license_error",
        """
        PUT /groups/{group_id}/patch
        POST /groups/{group_id}/teams/{team_id}/link
        DELETE /groups/{group_id}/teams/{team_id}/link
        PUT /groups/{group_id}/teams/{team_id}/patch
        POST /groups/{group_id}/channels/{channel_id}/link
        DELETE /groups/{group_id}/channels/{channel_id}/link
        PUT /groups/{group_id}/channels/{channel_id}/patch
        """,
    ),
    Absent(
        "groups",
        "api.custom_groups.license_error",
        """
        POST /groups
        DELETE /groups/{group_id}
        POST /groups/{group_id}/restore
        POST /groups/{group_id}/members
        DELETE /groups/{group_id}/members
        """,
    ),
    Absent(
        "cloud",
        "api.cloud.license_error",
        """
        GET /cloud/limits
        GET /cloud/products
        GET /cloud/customer
        PUT /cloud/customer
        PUT /cloud/customer/address
        GET /cloud/subscription
        GET /cloud/subscription/invoices
        GET /cloud/subscription/invoices/{invoice_id}/pdf
        GET /cloud/installation
        POST /cloud/payment
        POST /cloud/payment/confirm
        POST /cloud/validate-business-email
        POST /cloud/validate-workspace-business-email
        POST /cloud/webhook
        GET /cloud/check-cws-connection
        GET /cloud/preview/modal_data
        """,
        status=403,
    ),
    Absent(
        "channels",
        "api.channel.get_channel_moderations.license.error",
        """
        GET /channels/{channel_id}/moderations
        PUT /channels/{channel_id}/moderations/patch
        """,
    ),
    Absent("schemes", "api.scheme.get_schemes.license.error", "GET /schemes\nGET /schemes/{scheme_id}"),
    Absent("schemes", "api.scheme.create_scheme.license.error", "POST /schemes"),
    Absent("schemes", "api.scheme.delete_scheme.license.error", "DELETE /schemes/{scheme_id}"),
    Absent("schemes", "api.scheme.patch_scheme.license.error", "PUT /schemes/{scheme_id}/patch"),
    Absent("schemes", "api.scheme.get_teams_for_scheme.license.error", "GET /schemes/{scheme_id}/teams"),
    Absent("schemes", "api.scheme.get_channels_for_scheme.license.error", "GET /schemes/{scheme_id}/channels"),
    Absent("teams", "api.scheme.update_team_scheme.license.error", "PUT /teams/{team_id}/scheme"),
    Absent("channels", "api.scheme.update_channel_scheme.license.error", "PUT /channels/{channel_id}/scheme"),
    Absent(
        "users",
        "api.team.demote_user_to_guest.license.error",
        "POST /users/{user_id}/demote\nPOST /users/{user_id}/promote",
    ),
    Absent("teams", "api.team.invate_guests_to_channels.license.error", "POST /teams/{team_id}/invite-guests/email"),
    Absent(
        "remote clusters",
        "api.remote_cluster.service_not_enabled.app_error",
        """
        GET /remotecluster
        POST /remotecluster
        POST /remotecluster/accept_invite
        POST /remotecluster/confirm_invite
        POST /remotecluster/msg
        POST /remotecluster/ping
        GET /remotecluster/{remote_id}
        PATCH /remotecluster/{remote_id}
        DELETE /remotecluster/{remote_id}
        POST /remotecluster/{remote_id}/generate_invite
        POST /remotecluster/{remote_id}/channels/{channel_id}/invite
        POST /remotecluster/{remote_id}/channels/{channel_id}/uninvite
        GET /remotecluster/{remote_id}/sharedchannelremotes
        GET /sharedchannels/remote_info/{remote_id}
        GET /sharedchannels/{team_id}
        """,
    ),
    Absent(
        "terms of service",
        "api.create_terms_of_service.custom_terms_of_service_disabled.app_error",
        """
        GET /terms_of_service
        POST /terms_of_service
        GET /users/{user_id}/terms_of_service
        POST /users/{user_id}/terms_of_service
        """,
    ),
    Absent(
        "ip filtering",
        "api.context.ip_filtering.apply_ip_filters.app_error",
        "GET /ip_filtering\nPOST /ip_filtering\nGET /ip_filtering/my_ip",
    ),
    Absent(
        "outgoing OAuth connections",
        "api.context.outgoing_oauth_connection.not_available.configuration_disabled",
        """
        GET /oauth/outgoing_connections
        POST /oauth/outgoing_connections
        POST /oauth/outgoing_connections/validate
        GET /oauth/outgoing_connections/{connection_id}
        PUT /oauth/outgoing_connections/{connection_id}
        DELETE /oauth/outgoing_connections/{connection_id}
        """,
    ),
    Absent(
        "posts",
        "license_error.feature_unavailable",
        "POST /users/{user_id}/posts/{post_id}/ack\nDELETE /users/{user_id}/posts/{post_id}/ack",
    ),
)

_NO_GROUPS = b'{"groups":[],"total_group_count":0}'
"""As clients read it, though the API's document says a bare list."""

EMPTY = (
    ("cluster", "GET /cluster/status", b"[]"),
    ("data retention", "GET /data_retention/policy", _RETENTION),
    ("groups", "GET /groups", b"[]"),
    ("groups", "POST /groups/names", b"[]"),
    ("groups", "GET /channels/{channel_id}/groups", _NO_GROUPS),
    ("groups", "GET /teams/{team_id}/groups", _NO_GROUPS),
    ("groups", "GET /teams/{team_id}/groups_by_channels", b'{"groups":{}}'),
    ("groups", "GET /users/{user_id}/groups", b"[]"),
)
"""Reads of what is simply empty here."""
