"""A company whose people are sent to a sandbox AWS that knows its metadata and roles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
import pytest

from idp.aws.arn import RoleArn
from idp.aws.endpoints import sign_in_endpoint
from idp.aws.snippets import trust_policy
from idp.demo.sandbox_accounts import register_accounts
from idp.entitlements.account import Account
from idp.entitlements.store import save_account
from idp.sandbox.server import open_sandbox
from tests.company import ACCOUNTS, Company, make_company

ROLES = ("Administrator", "ReadOnly", "Developer")


@dataclass(frozen=True)
class Aws:
    """The sandbox, and clients for it as somebody of AWS would make them."""

    url: str

    def client(self, service: str, credentials: dict[str, Any] | None = None) -> Any:
        keys: dict[str, Any] = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        if credentials:
            keys = {
                "aws_access_key_id": credentials["AccessKeyId"],
                "aws_secret_access_key": credentials["SecretAccessKey"],
                "aws_session_token": credentials["SessionToken"],
            }
        options = {"endpoint_url": self.url, "region_name": "us-east-1"} | keys
        return boto3.client(service, **options)  # type: ignore[call-overload]

    def admin(self, account: Account) -> Any:
        """IAM, as an administrator of the account."""
        keys = {"AccessKeyId": account.number, "SecretAccessKey": "x", "SessionToken": None}
        return self.client("iam", keys)

    def trust_own_address(self, account: Account) -> None:
        """Let the roles of the account trust the provider-specific address."""
        address = sign_in_endpoint("aws", provider_id=account.provider_id, sandbox_url=self.url)
        for name in ROLES:
            self.admin(account).update_assume_role_policy(
                RoleName=name, PolicyDocument=trust_policy(str(account.provider), [address.acs])
            )

    def provider_id(self, account: Account) -> str:
        """The identifier that IAM gave to the account's SAML provider."""
        provider = self.admin(account).get_saml_provider(SAMLProviderArn=str(account.provider))
        found: str = provider["SAMLProviderUUID"]
        return found


@pytest.fixture(scope="session")
def aws() -> Iterator[Aws]:
    server, address = open_sandbox(port=0)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Aws(address)
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.fixture(scope="session")
def company(
    aws: Aws, tmp_path_factory: pytest.TempPathFactory, _sqlite_template: Path
) -> Iterator[Company]:
    folder = tmp_path_factory.mktemp("company")
    database = folder / "idp.sqlite3"
    database.write_bytes(_sqlite_template.read_bytes())
    made = make_company(
        folder,
        f"sqlite:///{database}",
        datetime.now(UTC),
        aws={"sandbox_url": aws.url, "source_identity": "{username}"},
    )
    metadata = made.visitor().get("/metadata").data
    roles = [
        RoleArn(account.partition, account.number, name) for account in ACCOUNTS for name in ROLES
    ]
    register_accounts(aws.url, metadata, ACCOUNTS, roles)
    with made.parts.database.writing() as session:
        for account in ACCOUNTS:
            if account.provider_id:
                known = replace(account, provider_id=aws.provider_id(account))
                save_account(session, known)
                aws.trust_own_address(known)
    yield made
    made.parts.database.close()
