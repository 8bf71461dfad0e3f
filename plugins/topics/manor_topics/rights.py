"""Who may do what with a topic."""

from __future__ import annotations

from collections.abc import Sequence

from manor import Forbidden, NotFound, Principal, Refused, Unauthorized
from manor_topics.config import TopicsConfig
from manor_topics.domain import Topic


def missing(reference: str) -> NotFound:
    """The refusal of a topic that is not there."""
    return NotFound(f"There is no topic '{reference[:64]}'")


def can_manage(topic: Topic, principals: Sequence[Principal]) -> bool:
    """Whether one of the credentials may change the topic: its owner's, or an administrator's."""
    return any(principal.is_admin or principal.user_id == topic.owner_id for principal in principals)


def in_scope(principals: Sequence[Principal], *scopes: str) -> Sequence[Principal]:
    """The credentials that carry one of the scopes; a request may do what any of them allows.

    Raises:
        Forbidden: There are credentials, and none of them does.
    """
    able = [principal for principal in principals if any(map(principal.has, scopes))]
    if principals and not able:
        raise Forbidden(f"This credential lacks the scope '{scopes[0]}'")
    return able


def check_read(topic: Topic, principals: Sequence[Principal], config: TopicsConfig) -> None:
    """See that the caller may read the topic.

    Raises:
        Refused: 401 without a credential, 403 with one that is not enough, 404 where private topics are hidden.
    """
    if not topic.is_public and not can_manage(topic, principals):
        raise _private(topic, principals, config)


def check_publish(topic: Topic, principals: Sequence[Principal], config: TopicsConfig) -> None:
    """See that the caller may publish to the topic.

    Raises:
        Refused: As `check_read`; also 401 where publishing needs a credential.
    """
    if topic.is_public:
        check_anonymous(principals, config)
    elif not can_manage(topic, principals):
        raise _private(topic, principals, config)


def check_anonymous(principals: Sequence[Principal], config: TopicsConfig) -> None:
    """See that publishing without a credential is allowed, where there is none.

    Raises:
        Unauthorized: It is not.
    """
    if not principals and not config.anonymous_publish:
        raise Unauthorized("Publishing needs a credential here")


def _private(topic: Topic, principals: Sequence[Principal], config: TopicsConfig) -> Refused:
    if config.hide_private:
        return missing(topic.name)
    if not principals:
        return Unauthorized(f"The topic '{topic.name}' is private")
    return Forbidden(f"The topic '{topic.name}' is private, and this credential does not open it")
