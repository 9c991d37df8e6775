"""A grant: one role that a person may assume now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from idp.aws.arn import ProviderArn, RoleArn
from idp.saml.encryption import EncryptionKey


@dataclass(frozen=True, slots=True)
class Grant:
    """What a rule gave: the role, the provider that vouches for it, and how the session looks.

    `duration` is in seconds (900 to 43,200); `tags` are AWS session tags by key;
    `transitive` names those tags that role chaining keeps; `rule` is the rule that gave it;
    `provider_id` is the provider's SAMLProviderUUID where sign-in URLs are to carry it;
    `session_name` and `source_identity` are None where the settings say how they are made;
    `encrypt_to` is the key that the account's assertions are encrypted to, None: they are not.
    """

    role: RoleArn
    provider: ProviderArn
    account_alias: str
    duration: int
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive: tuple[str, ...] = ()
    rule: str = ""
    provider_id: str | None = None
    session_name: str | None = None
    source_identity: str | None = None
    encrypt_to: EncryptionKey | None = None
