"""A role's trust policy as people have it at hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from idp.preflight.pasted import BadInput

# IAM counts 4,096 characters at most, white space aside; what get-role prints has more around it.
LONGEST_POLICY = 4_096
LONGEST_INPUT = 40_000


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """The document; `longest` is the role's MaxSessionDuration in seconds if it was said too."""

    document: Mapping[str, Any]
    longest: int | None = None


def read_trust_policy(data: bytes | str) -> TrustPolicy:
    """Read a trust policy, or what `aws iam get-role` prints. Raises BadInput."""
    if len(data) > LONGEST_INPUT:
        raise BadInput(
            f"The trust policy is longer than {LONGEST_INPUT:,} characters.",
            f"IAM takes {LONGEST_POLICY:,} without white space.",
        )
    found = _json(data)
    role = found.get("Role", found)
    longest = None
    if isinstance(role, Mapping) and "AssumeRolePolicyDocument" in role:
        longest = role.get("MaxSessionDuration")
        found = role["AssumeRolePolicyDocument"]
        found = _json(unquote(found)) if isinstance(found, str) else found
    if not isinstance(found, Mapping) or "Statement" not in found:
        raise BadInput(
            "This is not a trust policy: it is JSON without a Statement.",
            "Give the document, or what `aws iam get-role --role-name NAME` prints.",
        )
    if len(json.dumps(found, separators=(",", ":"))) > LONGEST_POLICY:
        raise BadInput(
            f"The trust policy is longer than the {LONGEST_POLICY:,} characters that IAM takes."
        )
    return TrustPolicy(found, longest if isinstance(longest, int) else None)


def _json(data: bytes | str) -> Mapping[str, Any]:
    data = data.removeprefix("\ufeff") if isinstance(data, str) else data
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as problem:
        reason = str(problem) if isinstance(problem, json.JSONDecodeError) else "it can't be read"
        raise BadInput(
            f"The trust policy is not JSON: {reason}.",
            "Give the document, or what `aws iam get-role --role-name NAME` prints.",
        ) from None
    if not isinstance(found, Mapping):
        raise BadInput("The trust policy is not a JSON object.")
    return found
