"""The preflight: find out what a response is to be held against, and let the judge judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from idp.preflight.endpoint import find_endpoint
from idp.preflight.pasted import Pasted, repaired
from idp.preflight.report import Report, Section
from idp.preflight.role_rules import RULES as ROLE_RULES
from idp.preflight.role_rules import RoleQuestion, check_role, chosen_pair
from idp.preflight.trust import METADATA_UNUSABLE, NO_METADATA, OwnProvider, Trust, find_trust
from idp.sandbox.judge import (
    Check,
    Judgement,
    Provider,
    RolePair,
    Rule,
    judge_response,
    read_claims,
)
from idp.sandbox.judge import attributes as attribute_rules
from idp.sandbox.judge import conditions as condition_rules
from idp.sandbox.judge import encryption as encryption_rules
from idp.sandbox.judge import envelope as envelope_rules
from idp.sandbox.judge import issuer as issuer_rules
from idp.sandbox.judge import signature as signature_rules
from idp.sandbox.judge import subject as subject_rules
from idp.sandbox.judge import tags as tag_rules
from idp.sandbox.judge import transport as transport_rules

_SECTIONS: tuple[tuple[str, tuple[Rule, ...]], ...] = (
    ("Encoding", transport_rules.RULES),
    ("Response", (*envelope_rules.RULES, *encryption_rules.RULES)),
    (
        "Issuer and signature",
        (*issuer_rules.PROVIDER_RULES, *issuer_rules.ISSUER_RULES, *signature_rules.RULES),
    ),
    ("Times, audience, sign-in", condition_rules.RULES),
    ("Subject", (*subject_rules.RULES, *encryption_rules.ENDPOINT_RULES)),
    ("AWS attributes", attribute_rules.RULES),
    ("Session tags", tag_rules.RULES),
    ("The role in AWS", ROLE_RULES),
)
_NEED_METADATA = frozenset(
    rule.name
    for rules in (issuer_rules.PROVIDER_RULES, issuer_rules.ISSUER_RULES, signature_rules.RULES)
    for rule in rules
)
_NEED_POLICY = frozenset({"trust-policy", "trust-policy-tags", "trust-policy-source-identity"})


@dataclass(frozen=True, slots=True)
class Preflight:
    """What is asked: a response, and whatever is known of the AWS that it goes to.

    `metadata` is the document that IAM holds, "" if unknown; `endpoint` the URL posted to, "" to
    take it from Recipient; `at` the time to judge as of, None for now, and `as_issued` takes the
    response's own IssueInstant instead. `reader` opens an encrypted response.
    """

    response: Pasted
    metadata: str = ""
    role: RoleQuestion = field(default_factory=RoleQuestion)
    endpoint: str = ""
    at: datetime | None = None
    as_issued: bool = False
    sandbox_url: str = ""
    reader: RSAPrivateKey | None = field(default=None, repr=False)


def judge(asked: Preflight, own: OwnProvider | None, now: datetime) -> Report:
    """Hold a response against every rule of AWS: nothing is raised for one that breaks them.

    Raises BadInput as check_role does, and what reading our own metadata raises.
    `own` is this identity provider, whose metadata needs not be given; None if it isn't set up.
    """
    value, spoilt = asked.response.value, False
    claims = read_claims(value, _opener(asked.reader))
    if not claims.issuer and (mended := repaired(value)) and read_claims(mended).issuer:
        value, spoilt, claims = mended, True, read_claims(mended)
    pair = chosen_pair(claims.pairs, asked.role.wanted) or next(iter(claims.pairs), None)
    partition = pair.role.partition if pair else "aws"
    endpoint = asked.endpoint or find_endpoint(claims.recipient, partition, asked.sandbox_url)
    at = (claims.issued if asked.as_issued else asked.at) or now
    trust = _with_reader(find_trust(asked.metadata, claims, pair, own), asked.reader)
    judgement = _judged(value, trust, endpoint, pair, at)
    checks = judgement.checks
    if spoilt:
        checks = _with_bad_encoding(checks, asked.response.value, at)
    said = judgement.claimed
    if said is not None and not said.issuer:
        said = replace(said, issuer=claims.issuer)
    found = {check.name: check for check in (*checks, *check_role(asked.role, said))}
    return Report(
        form=asked.response.form,
        judged_at=at,
        issued=claims.issued,
        endpoint=endpoint,
        role=str(pair.role) if pair else "",
        trust=trust.source if trust.provider or trust.absent else "",
        unread=any(c.name == "encryption" and c.passed is False for c in checks),
        sections=_sections(found, trust, asked, readable=said is not None),
    )


def _opener(reader: RSAPrivateKey | None) -> Provider | None:
    """Enough of a provider to open an encrypted assertion."""
    return Provider("", (), private_keys=(reader,)) if reader else None


def _with_reader(trust: Trust, reader: RSAPrivateKey | None) -> Trust:
    """An account for which we encrypt has a provider that takes nothing else."""
    if reader is None or trust.provider is None:
        return trust
    provider = replace(trust.provider, requires_encryption=True, private_keys=(reader,))
    return replace(trust, provider=provider)


def _judged(
    value: str, trust: Trust, endpoint: str, pair: RolePair | None, at: datetime
) -> Judgement:
    return judge_response(
        value,
        provider=trust.provider,
        endpoints=(endpoint,),
        now=at,
        role=pair.role if pair else None,
        provider_named=str(pair.provider) if pair else "",
    )


def _with_bad_encoding(checks: Sequence[Check], original: str, at: datetime) -> tuple[Check, ...]:
    """The checks of a mended value, with what the judge says of the encoding as it was sent."""
    sent = judge_response(original, provider=None, endpoints=("",), now=at)
    as_sent = {check.name: check for check in sent.checks if check.passed is False}
    return tuple(as_sent.get(check.name, check) for check in checks)


def _sections(
    found: Mapping[str, Check], trust: Trust, asked: Preflight, *, readable: bool
) -> tuple[Section, ...]:
    blind = trust.provider is None and not trust.absent and readable
    lacking = METADATA_UNUSABLE if trust.checks else NO_METADATA

    def shown(rule: Rule) -> Check:
        check = found[rule.name]
        if blind and rule.name in _NEED_METADATA:
            return Check(rule, None, lacking)
        if check.passed is None and rule.name in _NEED_POLICY and asked.role.policy is None:
            return Check(rule, None, "not checked: the role's trust policy was not given")
        if check.passed is None and rule.name == "session-length" and asked.role.longest is None:
            return Check(rule, None, "not checked: the role's MaxSessionDuration was not given")
        return check

    sections = [Section(title, tuple(map(shown, rules))) for title, rules in _SECTIONS]
    if trust.checks:
        sections.insert(2, Section("The metadata in IAM", trust.checks))
    return tuple(sections)
