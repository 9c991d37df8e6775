"""The attributes of an assertion for AWS.

Source: IAM User Guide, "Configure SAML assertions for the authentication response".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from idp.aws.arn import ProviderArn, RoleArn
from idp.aws.limits import (
    RefusedByAws,
    check_duration,
    check_session_name,
    check_source_identity,
    check_tags,
)
from idp.saml.response import Attribute

PREFIX = "https://aws.amazon.com/SAML/Attributes/"
ROLE = PREFIX + "Role"
ROLE_SESSION_NAME = PREFIX + "RoleSessionName"
SESSION_DURATION = PREFIX + "SessionDuration"
SOURCE_IDENTITY = PREFIX + "SourceIdentity"
PRINCIPAL_TAG = PREFIX + "PrincipalTag:"
TRANSITIVE_TAG_KEYS = PREFIX + "TransitiveTagKeys"


@dataclass(frozen=True, slots=True)
class AwsSession:
    """What the AWS session is to be: `roles` to choose from, and one set of the rest for all.

    `duration` is in seconds; `source_identity` None sends none.
    """

    roles: Sequence[tuple[RoleArn, ProviderArn]]
    session_name: str
    duration: int
    source_identity: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive: tuple[str, ...] = ()


def aws_attributes(session: AwsSession) -> tuple[Attribute, ...]:
    """The session as SAML attributes, each value checked. Raises RefusedByAws."""
    if not session.roles:
        raise RefusedByAws("An assertion for AWS needs a role.", "Choose one.")
    for role, provider in session.roles:
        if (role.partition, role.account) != (provider.partition, provider.account):
            raise RefusedByAws(
                f"The role {role} and the SAML provider {provider} lie in different accounts.",
                "IAM trusts only a provider of the role's own account.",
            )
    check_session_name(session.session_name)
    check_duration(session.duration)
    check_tags(session.tags, session.transitive)
    attributes = [
        Attribute(ROLE, tuple(f"{role},{provider}" for role, provider in session.roles)),
        Attribute(ROLE_SESSION_NAME, (session.session_name,)),
        Attribute(SESSION_DURATION, (str(session.duration),)),
    ]
    if session.source_identity is not None:
        check_source_identity(session.source_identity)
        attributes.append(Attribute(SOURCE_IDENTITY, (session.source_identity,)))
    attributes += [Attribute(PRINCIPAL_TAG + key, (value,)) for key, value in session.tags.items()]
    if session.transitive:
        attributes.append(Attribute(TRANSITIVE_TAG_KEYS, tuple(session.transitive)))
    return tuple(attributes)
