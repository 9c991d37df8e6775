"""Whether a role trusts our provider, as far as that can be told before anybody signs in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from idp.aws.arn import ProviderArn
from idp.sandbox.trust_context import name_qualifier, subject_type
from idp.sandbox.trust_policy import ASSUME, SET_SOURCE_IDENTITY, TAG_SESSION, evaluate

Policy = str | Mapping[str, Any]
TrustWord = Literal["trusts", "depends", "no"]


@dataclass(frozen=True, slots=True)
class Ourselves:
    """What every assertion of ours says in one account; `recipients` are the ACSs that we use."""

    provider: ProviderArn
    entity_id: str
    name_id_format: str
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RoleTrust:
    """`word` is "depends" if conditions ask for what only a sign-in knows, or for something else.

    `why` says which, or why it is no. `tags` and `source_identity`: whether these may be sent.
    """

    word: TrustWord
    why: str
    tags: bool
    source_identity: bool


def role_trust(policy: Policy, ourselves: Ourselves) -> RoleTrust:
    """Hold a trust policy against what is known of us."""
    document = _document(policy)
    bare = _without_conditions(document)
    federated = str(ourselves.provider)
    why = ""
    word: TrustWord = "no"
    for recipient in ourselves.recipients:
        decision = evaluate(
            document, federated=federated, actions=[ASSUME], context=_context(ourselves, recipient)
        )
        if decision.allowed:
            word, why = "trusts", ""
            break
        why = why or "; ".join(line.removeprefix(f"{ASSUME}: ") for line in decision.explanation())
    if word == "no" and _allows(bare, federated, ASSUME):
        word = "depends"
    return RoleTrust(
        word,
        why,
        _allows(bare, federated, TAG_SESSION),
        _allows(bare, federated, SET_SOURCE_IDENTITY),
    )


def _allows(document: Policy, federated: str, action: str) -> bool:
    return evaluate(document, federated=federated, actions=[action], context={}).allowed


def _context(ourselves: Ourselves, recipient: str) -> dict[str, tuple[str, ...]]:
    provider = ourselves.provider
    return {
        "saml:aud": (recipient,),
        "saml:iss": (ourselves.entity_id,),
        "saml:sub_type": (subject_type(ourselves.name_id_format),),
        "saml:namequalifier": (name_qualifier(ourselves.entity_id, provider),),
        "saml:doc": (f"{provider.account}/{provider.name}",),
    }


def _document(policy: Policy) -> Policy:
    if isinstance(policy, str):
        try:
            found = json.loads(policy)
        except (ValueError, RecursionError):
            return policy
        return found if isinstance(found, dict) else policy
    return policy


def _without_conditions(document: Policy) -> Policy:
    """The policy as it is when every condition of an Allow is met, and none of a Deny."""
    if isinstance(document, str):
        return document
    statements: Any = document.get("Statement", [])
    listed: Sequence[Any] = statements if isinstance(statements, list) else [statements]
    kept = []
    for each in listed:
        if isinstance(each, Mapping) and each.get("Condition"):
            if each.get("Effect") == "Deny":
                continue
            kept.append({key: value for key, value in each.items() if key != "Condition"})
        else:
            kept.append(each)
    return {**document, "Statement": kept}
