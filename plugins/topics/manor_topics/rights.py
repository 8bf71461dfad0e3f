"""Who may do what with a topic."""

from __future__ import annotations

from collections.abc import Sequence

from manor import Forbidden, NotFound, Principal, Refused, Unauthorized
from manor_topics.callers import Caller
from manor_topics.config import TopicsConfig
from manor_topics.domain import Topic

TOPIC_TOKEN = "topic_token"  # noqa: S105 - a kind of credential, no secret

_TOKEN_SCOPES = {
    "publish": frozenset({"write"}),
    "subscribe": frozenset({"read", "write"}),
    "topics:read": frozenset({"read", "write"}),
}
"""What a topic's token may, one of it, by the scope that an API key would need. One that writes reads a public topic,
as everybody does: `can_read` knows which topic it is."""


def missing(reference: str) -> NotFound:
    """The refusal of a topic that is not there."""
    return NotFound(f"There is no topic '{reference[:64]}'")


def in_scope(principals: Sequence[Principal], *scopes: str) -> Sequence[Principal]:
    """The credentials that carry one of the scopes; a request may do what any of them allows.

    Raises:
        Forbidden: There are credentials, and none of them does.
    """
    if not principals:
        return ()
    able = [principal for principal in principals if _carries(principal, scopes)]
    if not able:
        raise Forbidden(f"This credential lacks the scope '{scopes[0]}'")
    return able


def _carries(principal: Principal, scopes: Sequence[str]) -> bool:
    if principal.kind == TOPIC_TOKEN:
        return any(_TOKEN_SCOPES.get(scope, frozenset()) & principal.scopes for scope in scopes)
    return any(map(principal.has, scopes))


def can_manage(topic: Topic, caller: Caller) -> bool:
    """Whether one of the credentials may change the topic.

    Its owner's may, that of an owner or administrator of its team, or that of an administrator of the server.
    """
    return any(_manages(topic, caller, principal) for principal in caller.principals)


def can_read(topic: Topic, caller: Caller) -> bool:
    """Whether the caller may read the topic. A topic's token opens its own topic and no other."""
    if caller.is_anonymous:
        return topic.is_public
    return any(_opens(topic, caller, principal, "read") for principal in caller.principals)


def check_read(topic: Topic, caller: Caller, config: TopicsConfig) -> None:
    """See that the caller may read the topic.

    Raises:
        Refused: 401 without a credential, 403 with one that is not enough, 404 where private topics are hidden.
    """
    if not can_read(topic, caller):
        raise _closed(topic, caller, config)


def check_publish(topic: Topic, caller: Caller, config: TopicsConfig) -> Principal | None:
    """See that the caller may publish to the topic.

    Returns:
        Who publishes: of the credentials that open the topic the first that has a person, else the first. What is
        counted is counted for that one, and keys of idempotency are its own. None for nobody that we know.

    Raises:
        Refused: As `check_read`; also 401 where publishing needs a credential.
    """
    if caller.is_anonymous and topic.is_public:
        check_anonymous(caller.principals, config)
        return None
    nameless = None
    for principal in caller.principals:
        if _opens(topic, caller, principal, "write"):
            if principal.user_id is not None:
                return principal
            nameless = nameless or principal
    if nameless is None:
        raise _closed(topic, caller, config)
    return nameless


def check_manage(topic: Topic, caller: Caller, config: TopicsConfig) -> None:
    """See that the caller may change the topic.

    Raises:
        Refused: 403, or 404 where private topics are hidden from those who may not even read them.
    """
    if can_manage(topic, caller):
        return
    if not can_read(topic, caller):
        raise _closed(topic, caller, config)
    raise Forbidden(f"The topic '{topic.name}' is changed by those who manage it")


def check_anonymous(principals: Sequence[Principal], config: TopicsConfig) -> None:
    """See that publishing without a credential is allowed, where there is none.

    Raises:
        Unauthorized: It is not.
    """
    if not principals and not config.anonymous_publish:
        raise Unauthorized("Publishing needs a credential here")


def _manages(topic: Topic, caller: Caller, principal: Principal) -> bool:
    if principal.kind == TOPIC_TOKEN:
        return False
    return (
        principal.is_admin
        or principal.user_id == topic.owner_id
        or caller.role_in(principal, topic.team_id) in ("owner", "admin")
    )


def _opens(topic: Topic, caller: Caller, principal: Principal, what: str) -> bool:
    if principal.kind == TOPIC_TOKEN:
        able = what in principal.scopes or (what == "read" and topic.is_public)
        return able and principal.resource == topic.id
    if topic.is_public:
        return True
    return _manages(topic, caller, principal) or caller.role_in(principal, topic.team_id) is not None


def _closed(topic: Topic, caller: Caller, config: TopicsConfig) -> Refused:
    if topic.is_public:
        return Forbidden(f"This credential does not open the topic '{topic.name}'")
    if config.hide_private:
        return missing(topic.name)
    if caller.is_anonymous:
        return Unauthorized(f"The topic '{topic.name}' is private")
    return Forbidden(f"The topic '{topic.name}' is private, and this credential does not open it")
