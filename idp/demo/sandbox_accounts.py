"""Telling the sandbox AWS about the company, the way an IAM admin would: with boto3."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import boto3
from botocore.config import Config

from idp.aws.arn import RoleArn
from idp.aws.endpoints import PARTITIONS, sign_in_endpoint
from idp.aws.snippets import trust_policy
from idp.entitlements.account import Account

LONGEST_SESSION = 43_200  # seconds


def register_accounts(
    sandbox_url: str, metadata: bytes, accounts: Iterable[Account], roles: Iterable[RoleArn]
) -> None:
    """Make the SAML provider and the roles, with their trust policies, in every account."""
    wanted = sorted(set(roles))
    for account in accounts:
        iam = _iam(sandbox_url, account)
        iam.create_saml_provider(
            Name=account.provider_name, SAMLMetadataDocument=metadata.decode("utf-8")
        )
        acs = sign_in_endpoint(account.partition, sandbox_url=sandbox_url).acs
        policy = trust_policy(str(account.provider), [acs])
        for role in wanted:
            if role.account == account.number:
                iam.create_role(
                    RoleName=role.name,
                    AssumeRolePolicyDocument=policy,
                    MaxSessionDuration=LONGEST_SESSION,
                )


def _iam(sandbox_url: str, account: Account) -> Any:
    """An IAM client as the account's administrator: the sandbox takes its number as access key."""
    return boto3.client(
        "iam",
        endpoint_url=sandbox_url,
        region_name=PARTITIONS[account.partition].default_region,
        aws_access_key_id=account.number,
        aws_secret_access_key="sandbox",  # noqa: S106 - the sandbox has no secrets
        config=Config(retries={"max_attempts": 1}, connect_timeout=5, read_timeout=30),
    )
