"""A judge of SAML responses that shares no code with the part that builds them."""

from idp.sandbox.judge.check import AwsError, Check, Rule
from idp.sandbox.judge.claims import Claims, pairs_claimed, read_claims
from idp.sandbox.judge.metadata import Provider, read_metadata
from idp.sandbox.judge.response import RULES, judge_response
from idp.sandbox.judge.verdict import Judgement, RolePair, Verdict

__all__ = [
    "RULES",
    "AwsError",
    "Check",
    "Claims",
    "Judgement",
    "Provider",
    "RolePair",
    "Rule",
    "Verdict",
    "judge_response",
    "pairs_claimed",
    "read_claims",
    "read_metadata",
]
