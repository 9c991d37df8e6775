"""From a response to a role session: the one way in, for the console and for the API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from idp.aws.arn import RoleArn
from idp.sandbox.behind import IamRole
from idp.sandbox.judge import RolePair, Verdict, judge_response, pairs_claimed
from idp.sandbox.judge.check import NOT_AUTHORIZED
from idp.sandbox.packed_size import packed_percent
from idp.sandbox.providers import SamlProvider, SamlProviders
from idp.sandbox.refusal import AwsRefusal
from idp.sandbox.sessions import RoleSession, Sessions
from idp.sandbox.trail import Trail
from idp.sandbox.trust_context import name_qualifier, subject_type, trust_context
from idp.sandbox.trust_policy import actions_needed, evaluate

DEFAULT_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Believed:
    """A response that passed, with the provider that vouched for it."""

    verdict: Verdict
    provider: SamlProvider

    @property
    def name_qualifier(self) -> str:
        """BASE64(SHA1(Issuer + account + "/" + provider name)), as STS documents it."""
        return name_qualifier(self.verdict.issuer, self.provider.arn)

    @property
    def subject_type(self) -> str:
        """The NameID's format without the prefix of SAML 2.0; any other prefix stays."""
        return subject_type(self.verdict.name_id_format)


@dataclass(frozen=True, slots=True)
class Assumed:
    """A session and what was believed to open it. `packed_percent` is PackedPolicySize."""

    session: RoleSession
    believed: Believed
    packed_percent: int


class Gate:
    """Lets people in: judges responses and assumes roles."""

    def __init__(
        self,
        providers: SamlProviders,
        sessions: Sessions,
        find_role: Callable[[RoleArn], IamRole | None],
        trail: Trail,
    ) -> None:
        self._trail = trail
        self._providers = providers
        self._sessions = sessions
        self._find_role = find_role

    def believe(
        self,
        response: str,
        endpoints: Callable[[SamlProvider | None], tuple[str, ...]],
        now: datetime,
        pair: RolePair | None = None,
        uuid: str | None = None,
    ) -> Believed:
        """Judge a response. `pair` is the role to be assumed, if it is chosen already.

        `endpoints` gives the URLs that Recipient may name, by provider; `uuid` is that of the URL
        posted to, if there is one in it. What is encrypted names nobody, so `pair` or `uuid` must
        say whose keys open it. Raises AwsRefusal.
        """
        opener = self.opener(pair, uuid)
        claimed = pairs_claimed(response, opener.trusted if opener else None)
        arns = [pair.provider] if pair else [each.provider for each in claimed]
        known = [found for arn in arns if (found := self._providers.find(str(arn)))]
        provider = known[0] if known else None if claimed else opener
        judgement = judge_response(
            response,
            provider=provider.trusted if provider else None,
            endpoints=endpoints(provider),
            now=now,
            role=pair.role if pair else self._first_role(claimed, provider),
            provider_named=", ".join(dict.fromkeys(str(arn) for arn in arns)) or "no readable Role",
        )
        first = judgement.refusal
        if judgement.verdict is None or provider is None:
            if first is None:
                raise RuntimeError("A judgement has a verdict or a refusal.")
            raise AwsRefusal.of(first.aws_error, checks=judgement.refusals)
        if pair is not None and pair not in judgement.verdict.roles:
            raise AwsRefusal(
                "InvalidIdentityToken",
                "SAML Assertion doesn't contain the requested Role and Metadata in the attributes",
                reasons=(f"{pair.role},{pair.provider} is not among the assertion's roles.",),
            )
        return Believed(judgement.verdict, provider)

    def opener(self, pair: RolePair | None, uuid: str | None) -> SamlProvider | None:
        """The provider whose private keys an encrypted assertion is opened with, if any."""
        if uuid is not None:
            return self._providers.by_uuid(uuid)
        return self._providers.find(str(pair.provider)) if pair else None

    @staticmethod
    def _first_role(claimed: tuple[RolePair, ...], provider: SamlProvider | None) -> RoleArn | None:
        own = [each.role for each in claimed if provider and each.provider == provider.arn]
        return own[0] if own else None

    def assume(
        self,
        believed: Believed,
        pair: RolePair,
        now: datetime,
        *,
        requested: int | None = None,
        policy: str = "",
        console: bool = False,
    ) -> Assumed:
        """Open a session for `pair`. `requested` is DurationSeconds. Raises AwsRefusal."""
        try:
            assumed = self._open(believed, pair, now, requested, policy, console)
        except AwsRefusal as refusal:
            self._trail.refused(believed.verdict, pair.provider, pair.role, refusal, now)
            raise
        seconds = ceil((assumed.session.expires - now).total_seconds())
        self._trail.assumed(believed.verdict, pair.provider, assumed.session, seconds, now)
        return assumed

    def _open(
        self,
        believed: Believed,
        pair: RolePair,
        now: datetime,
        requested: int | None,
        policy: str,
        console: bool,
    ) -> Assumed:
        verdict = believed.verdict
        role = self._trusting_role(believed, pair)
        seconds = _seconds(verdict, role, requested, console)
        expires = now + timedelta(seconds=seconds)
        if verdict.session_ends is not None:
            expires = min(expires, verdict.session_ends)
        packed = _packed_percent(verdict, policy)
        session = self._sessions.open(
            pair.role,
            role.role_id,
            verdict.session_name,
            expires.replace(microsecond=0),
            tags=verdict.tags,
            transitive=verdict.transitive,
            source_identity=verdict.source_identity,
        )
        return Assumed(session, believed, packed)

    def _trusting_role(self, believed: Believed, pair: RolePair) -> IamRole:
        role = self._find_role(pair.role)
        if role is None:
            raise AwsRefusal.of(
                NOT_AUTHORIZED,
                f"There is no role {pair.role} (path and capitals count).",
            )
        if pair.role.name.startswith("AWSReservedSSO_"):
            raise AwsRefusal.of(
                NOT_AUTHORIZED, "AWSReservedSSO_ roles belong to IAM Identity Center."
            )
        verdict = believed.verdict
        decision = evaluate(
            role.trust_policy,
            federated=str(believed.provider.arn),
            actions=actions_needed(
                tags=bool(verdict.tags), source_identity=verdict.source_identity is not None
            ),
            context=trust_context(verdict, believed.provider.arn),
        )
        if not decision.allowed:
            raise AwsRefusal.of(NOT_AUTHORIZED, *decision.explanation())
        return role


def _seconds(verdict: Verdict, role: IamRole, requested: int | None, console: bool) -> int:
    """The length of the session. SessionDuration lengthens a console session only."""
    # Whether AWS refuses or shortens a console session that is longer than the role allows is not
    # documented; it is refused here.
    asked = (verdict.duration if console else requested) or DEFAULT_SECONDS
    if asked > role.longest:
        raise AwsRefusal(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            reasons=(f"{asked} s are asked for; the role allows {role.longest} s.",),
        )
    return min(asked, verdict.duration or asked)


def _packed_percent(verdict: Verdict, policy: str) -> int:
    percent = packed_percent(verdict.tags, policy)
    if percent > 100:
        raise AwsRefusal(
            "PackedPolicyTooLarge",
            f"The packed size of session tags and policies is {percent}% of the allowed size.",
            advice="Send fewer or shorter session tags.",
        )
    return percent
