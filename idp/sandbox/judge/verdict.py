"""What a response says once it has been believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from idp.aws.arn import ProviderArn, RoleArn
from idp.sandbox.judge.check import Check


@dataclass(frozen=True, slots=True, order=True)
class RolePair:
    """A value of the Role attribute, whichever order it was written in."""

    role: RoleArn
    provider: ProviderArn


@dataclass(frozen=True, slots=True)
class Verdict:
    """The values of an accepted assertion, read from the bytes that were signed.

    `duration` is the SessionDuration attribute in seconds, None if absent; `saml_values` holds the
    mapped attributes by condition key (`saml:edupersonprincipalname`).
    """

    assertion_id: str
    issuer: str
    name_id: str
    name_id_format: str
    recipient: str
    audiences: tuple[str, ...]
    issued: datetime
    session_ends: datetime | None
    roles: tuple[RolePair, ...]
    session_name: str
    duration: int | None
    source_identity: str | None
    tags: Mapping[str, str]
    transitive: tuple[str, ...]
    saml_values: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Judgement:
    """Every rule with its outcome; `verdict` is there only if all were kept.

    `claimed` is what the response says, believed or not, as far as it could be read: good for
    telling what else would be wrong, never for letting anybody in.
    """

    checks: tuple[Check, ...]
    verdict: Verdict | None
    claimed: Verdict | None = None

    @property
    def refusals(self) -> tuple[Check, ...]:
        """The rules that were broken, in the order in which they are checked."""
        return tuple(check for check in self.checks if check.passed is False)

    @property
    def refusal(self) -> Check | None:
        """The first broken rule: the one whose error AWS shows."""
        return next(iter(self.refusals), None)
