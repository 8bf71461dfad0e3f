"""Refusals with the ids that clients of the Mattermost API compare."""

from __future__ import annotations

from manor import BadRequest, Forbidden, NotFound, Refused


class NotImplementedHere(Refused):
    """501: the feature is switched off, or wants what this server does not have."""

    status = 501


def bad_url_param(name: str) -> BadRequest:
    """400: a parameter of the path or the query is malformed."""
    return BadRequest(
        f"Invalid or missing {name} parameter in request URL", code="api.context.invalid_url_param.app_error"
    )


def bad_body_param(name: str) -> BadRequest:
    """400: a member of the body is missing or malformed."""
    return BadRequest(f"Invalid or missing {name} in request body", code="api.context.invalid_body_param.app_error")


def bad_value(code: str, detail: str) -> BadRequest:
    """400 with an id of its own."""
    return BadRequest(detail, code=code)


def no_permission() -> Forbidden:
    """403: a permission is missing; the answer does not say which."""
    return Forbidden("You do not have the appropriate permissions", code="api.context.permissions.app_error")


def missing_user() -> NotFound:
    """404: nobody has this id."""
    return NotFound("Unable to find the user", code="app.user.missing_account.const")


def missing_username() -> NotFound:
    """404: nobody is called this."""
    return NotFound("Unable to find the user", code="app.user.get_by_username.app_error")


def hidden_email() -> Forbidden:
    """403: addresses are not shown here."""
    return Forbidden(
        "You do not have the appropriate permissions", code="api.user.get_user_by_email.permissions.app_error"
    )


def missing_team() -> NotFound:
    """404: no team has this id or name."""
    return NotFound("Unable to find the existing team", code="app.team.get.find.app_error")


def missing_channel() -> NotFound:
    """404: no channel has this id."""
    return NotFound("Unable to find the existing channel", code="app.channel.get.existing.app_error")


def missing_channel_name() -> NotFound:
    """404: no channel of the team has this name."""
    return NotFound("Channel does not exist", code="app.channel.get_by_name.missing.app_error")


def missing_post() -> NotFound:
    """404: no post has this id, or it is deleted."""
    return NotFound("Unable to get the post", code="app.post.get.app_error")


def missing_file() -> NotFound:
    """404: no file has this id, or it is deleted."""
    return NotFound("Unable to get the file info", code="app.file_info.get.app_error")


def missing_upload() -> NotFound:
    """404: no upload has this id, or it is over."""
    return NotFound("Failed to get upload", code="app.upload.get.app_error")


def foreign_upload() -> Forbidden:
    """403: the upload is another's."""
    return Forbidden("Failed to get upload", code="api.upload.get_upload.forbidden.app_error")


def missing_member() -> NotFound:
    """404: the person is not in this channel."""
    return NotFound(
        "No channel member found for that user and channel", code="app.channel.get_member.missing.app_error"
    )


def missing_team_member() -> NotFound:
    """404: the person is not in this team."""
    detail = "No team member found for that user ID and team ID"
    return NotFound(detail, code="app.team.get_member.missing.app_error")


def missing_category() -> NotFound:
    """404: somebody's sidebar has no such category."""
    return NotFound("Unable to find the sidebar category", code="app.channel.sidebar_categories.app_error")


def switched_off(code: str, detail: str) -> NotImplementedHere:
    """501 with the id of the feature."""
    return NotImplementedHere(detail, code=code)
