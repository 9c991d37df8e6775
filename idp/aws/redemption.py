"""Redeeming an assertion at STS, to see whether AWS takes it. What it gives is thrown away."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, cast

from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from idp.aws.account_refusal import AccountRefusal, code_of, shortened
from idp.aws.arn import ProviderArn, RoleArn
from idp.aws.endpoints import PARTITIONS
from idp.aws.iam import SHORTEST_SESSION, Reach

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

# A key or a trust policy may not have come to every copy of AWS's yet.
_PAUSES = (0.0, 0.2, 0.4, 0.8)


def redeem(
    role: RoleArn, provider: ProviderArn, assertion: str, reach: Reach, settle: float
) -> None:
    """AssumeRoleWithSAML with a base64 response. Raises AccountRefusal with AWS's words.

    `settle` is how many seconds AWS's copies are given; it is tried several times meanwhile.
    """
    client = cast(
        "STSClient",
        Session().create_client(
            "sts",
            region_name=PARTITIONS[provider.partition].default_region,
            endpoint_url=reach.endpoint_url or None,
            config=Config(
                signature_version=UNSIGNED,
                connect_timeout=reach.connect,
                read_timeout=reach.answer,
                proxies={} if reach.loopback else None,
            ),
        ),
    )
    refused = ""
    with closing(client):
        for part in _PAUSES:
            reach.sleep(part * settle)
            try:
                client.assume_role_with_saml(
                    RoleArn=str(role),
                    PrincipalArn=str(provider),
                    SAMLAssertion=assertion,
                    DurationSeconds=SHORTEST_SESSION,
                )
            except ClientError as problem:
                said = shortened(str(problem.response.get("Error", {}).get("Message", "")))
                refused = f"{code_of(problem)}: {said}"
            except BotoCoreError as problem:
                refused = shortened(str(problem))
            else:
                return
    raise AccountRefusal(
        "not_proven",
        f"AWS does not take an assertion for the probe role {role} ({refused}).",
        "Look at the trust policy of the probe role, and at: idp aws status",
    )
