"""The engine alone: build, sign and serialise one response after the other on one core."""

from __future__ import annotations

import time

from idp.aws.arn import ProviderArn, RoleArn
from idp.aws.attributes import AwsSession, aws_attributes
from idp.saml.response import Statement, build_response
from idp.saml.signature import ALGORITHMS, Signer
from tests.making import statement

ROLES = 5
TAGS = 10
_SIGNED_INFO = b"<ds:SignedInfo/>" * 44  # as long as a real one


def signing_rate(signer: Signer, seconds: float) -> float:
    """Signatures a second in this process, one after the other, and nothing else."""
    count = 0
    began = time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        signer.sign(_SIGNED_INFO, "sha256")
        count += 1
    return count / elapsed


def bench_statement() -> Statement:
    """What is said for a person with 5 roles in 5 accounts and 10 session tags."""
    accounts = [f"{number}" * 12 for number in range(1, ROLES + 1)]
    session = AwsSession(
        roles=[
            (RoleArn.parse(f"arn:aws:iam::{account}:role/Administrator"), _provider(account))
            for account in accounts
        ],
        session_name="ann.archer@corp.example",
        duration=3600,
        source_identity="ann.archer",
        tags={f"Tag{number}": f"value {number}" for number in range(TAGS)},
        transitive=("Tag0", "Tag1"),
    )
    return statement(*aws_attributes(session))


def _provider(account: str) -> ProviderArn:
    return ProviderArn.parse(f"arn:aws:iam::{account}:saml-provider/ExampleIdP")


def engine_rate(signer: Signer, seconds: float) -> float:
    """Responses a second in this process, as the value of the form field."""
    said, algorithm = bench_statement(), ALGORITHMS["sha256"]
    count = 0
    began = time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        build_response(said, signer, algorithm).form_value()
        count += 1
    return count / elapsed
