"""What AWS asks after it has believed a response: may this role be assumed with it?"""

from __future__ import annotations

import json
from dataclasses import dataclass

from idp.aws.arn import RoleArn
from idp.preflight.pasted import BadInput
from idp.preflight.trust_policy import TrustPolicy
from idp.sandbox.judge import AwsError, Check, RolePair, Rule, Verdict
from idp.sandbox.judge.check import NOT_AUTHORIZED, Notebook
from idp.sandbox.packed_size import packed_percent
from idp.sandbox.trust_context import trust_context
from idp.sandbox.trust_policy import ASSUME, SET_SOURCE_IDENTITY, TAG_SESSION, evaluate

DEFAULT_SECONDS = 3600
# Wildcards take time in proportion to pattern times text; more than this is nobody's real policy.
MOST_WORK = 10_000_000

RULES = (
    Rule(
        "requested-role",
        "The role asked for is among those of the assertion.",
        AwsError(
            "InvalidIdentityToken",
            "SAML Assertion doesn't contain the requested Role and Metadata in the attributes",
        ),
        "Ask for a role that the assertion holds, or let the identity provider send this one.",
        side="either",
    ),
    Rule(
        "role-reserved",
        "The role is not one of IAM Identity Center's (AWSReservedSSO_).",
        NOT_AUTHORIZED,
        "Make a role of your own; those belong to IAM Identity Center.",
    ),
    Rule(
        "packed-size",
        "The session tags fit into their packed form.",
        AwsError(
            "PackedPolicyTooLarge",
            "The packed size of session tags is larger than the allowed size.",
        ),
        "Send fewer or shorter session tags.",
        confirmed=False,
    ),
    Rule(
        "trust-policy",
        "The role's trust policy lets this provider do sts:AssumeRoleWithSAML.",
        NOT_AUTHORIZED,
        "Mend Principal, Action or Condition of the trust policy; saml:aud is the Recipient.",
        side="AWS",
    ),
    Rule(
        "trust-policy-tags",
        "The trust policy allows sts:TagSession, if session tags are sent.",
        NOT_AUTHORIZED,
        "Add sts:TagSession to the Action of the trust policy, or send no tags.",
        side="AWS",
    ),
    Rule(
        "trust-policy-source-identity",
        "The trust policy allows sts:SetSourceIdentity, if a SourceIdentity is sent.",
        NOT_AUTHORIZED,
        "Add sts:SetSourceIdentity to the Action of the trust policy, or send no SourceIdentity.",
        side="AWS",
    ),
    Rule(
        "session-length",
        "The session asked for is no longer than the role's MaxSessionDuration.",
        AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ),
        "Raise MaxSessionDuration of the role, or send a shorter SessionDuration.",
        confirmed=False,
        side="either",
    ),
)


@dataclass(frozen=True, slots=True)
class RoleQuestion:
    """Which role is to be assumed, and what is known of it.

    `wanted` is the one asked for, None for the first. `longest` is MaxSessionDuration in seconds.
    """

    wanted: RoleArn | None = None
    policy: TrustPolicy | None = None
    longest: int | None = None


def check_role(question: RoleQuestion, said: Verdict | None) -> tuple[Check, ...]:
    """Hold what a response says, believed or not, against the role.

    Raises BadInput for a trust policy that would take too long to be held against it.
    """
    notebook = Notebook(RULES)
    if said is not None and said.roles:
        pair = chosen_pair(said.roles, question.wanted)
        if pair is None:
            held = ", ".join(str(each.role) for each in said.roles)
            notebook.note("requested-role", False, held, question.wanted)
        else:
            _check(question, said, pair, notebook)
    return notebook.checks()


def chosen_pair(pairs: tuple[RolePair, ...], wanted: RoleArn | None) -> RolePair | None:
    """The pair of the role asked for, the first if none was; None if it isn't there."""
    return next((pair for pair in pairs if wanted in (None, pair.role)), None)


def _check(question: RoleQuestion, said: Verdict, pair: RolePair, notebook: Notebook) -> None:
    notebook.note("requested-role", True, pair.role, question.wanted or "any of the assertion's")
    notebook.note(
        "role-reserved",
        not pair.role.name.startswith("AWSReservedSSO_"),
        pair.role.name,
        "another name",
    )
    percent = packed_percent(said.tags)
    notebook.note("packed-size", percent <= 100, f"about {percent} %", "100 % at most")
    if question.policy is not None:
        _check_policy(question.policy, said, pair, notebook)
    longest = question.longest or (question.policy.longest if question.policy else None)
    if longest is not None:
        asked = said.duration or DEFAULT_SECONDS
        notebook.note("session-length", asked <= longest, f"{asked:,} s", f"{longest:,} s at most")


def _check_policy(policy: TrustPolicy, said: Verdict, pair: RolePair, notebook: Notebook) -> None:
    context = trust_context(said, pair.provider)
    texts = sum(len(value) for values in context.values() for value in values)
    written = json.dumps(policy.document)
    if texts * len(written) > MOST_WORK and ("*" in written or "?" in written):
        raise BadInput(
            "The trust policy and the attributes of the response are too long to be held against "
            "each other.",
            "Leave the trust policy out.",
        )
    for name, action, needed, absent in (
        ("trust-policy", ASSUME, True, ""),
        ("trust-policy-tags", TAG_SESSION, bool(said.tags), "no tags are sent"),
        (
            "trust-policy-source-identity",
            SET_SOURCE_IDENTITY,
            said.source_identity is not None,
            "no SourceIdentity is sent",
        ),
    ):
        if not needed:
            notebook.note(name, True, absent, f"{action}, if needed")
            continue
        decision = evaluate(
            policy.document, federated=str(pair.provider), actions=[action], context=context
        )
        shown = "; ".join(line.removeprefix(f"{action}: ") for line in decision.explanation())
        notebook.note(name, decision.allowed, shown, f"{action} allowed", longest=2000)
