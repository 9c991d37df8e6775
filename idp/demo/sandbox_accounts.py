"""Telling the sandbox AWS about the company, the way an IAM admin would."""

from __future__ import annotations

from collections.abc import Iterable

from idp.aws.arn import RoleArn
from idp.aws.endpoints import sign_in_endpoint
from idp.aws.iam import AccountTarget, Reach, open_account
from idp.aws.registration import bring_up_to_date
from idp.aws.snippets import trust_policy
from idp.entitlements.account import Account

LONGEST_SESSION = 43_200  # seconds


def register_accounts(
    sandbox_url: str, metadata: bytes, accounts: Iterable[Account], roles: Iterable[RoleArn]
) -> None:
    """Make the SAML provider and the roles, with their trust policies, in every account."""
    wanted = sorted(set(roles))
    reach = Reach(sandbox_url, answer=30)
    for account in accounts:
        acs = sign_in_endpoint(account.partition, sandbox_url=sandbox_url).acs
        policy = trust_policy(str(account.provider), [acs])
        with open_account(AccountTarget(account.provider), reach) as opened:
            bring_up_to_date(opened, account.provider, metadata)
            for role in wanted:
                if role.account == account.number:
                    opened.iam.create_role(
                        RoleName=role.name,
                        AssumeRolePolicyDocument=policy,
                        MaxSessionDuration=LONGEST_SESSION,
                    )
