"""An installation with accounts in a sandbox whose roles people can take, for encryption."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from click.testing import Result
from lxml import etree
from sqlalchemy import select

from idp.audit.log import AuditLog
from idp.aws.arn import ProviderArn
from idp.aws.encryption_state import EncryptionState
from idp.db.models import AuditEventRow
from idp.directory.person import Group, Person
from idp.entitlements.account import Account
from idp.entitlements.encryption import stored_encryption
from idp.entitlements.rules_file import parse_rules
from idp.entitlements.store import Entitlements, apply_rules, stored_accounts
from idp.keys.ring import KeyRing
from idp.sandbox.providers import SamlProvider
from idp.signin.sessions import SignedIn
from idp.sso.handover import Handover, RoleRequest
from idp.sso.names import KeptNames
from tests.aws.faulty_proxy import Answer, Fault, FaultyProxy, Forward, refusing
from tests.aws.installation import Installation
from tests.aws.running_sandbox import RunningSandbox
from tests.independent import SAML
from tests.sandbox.maker import keys

ROLES = ("Developer", "Auditor")
RULES = b"""
[[rule]]
name = "everybody"
groups = ["staff"]
role = "Developer"
accounts = ["dev"]
duration = "1h"
"""


@dataclass(frozen=True)
class EncryptedAccount:
    """One account of an installation; the sandbox is reached through the proxy."""

    installation: Installation
    sandbox: RunningSandbox
    proxy: FaultyProxy
    number: str

    @classmethod
    def make(
        cls,
        installation: Installation,
        sandbox: RunningSandbox,
        proxy: FaultyProxy,
        number: str,
        alias: str = "dev",
    ) -> EncryptedAccount:
        made = cls(installation, sandbox, proxy, number)
        installation.add_accounts([Account(number, alias, "aws", "ExampleIdP")])
        with installation.database.writing() as session:
            apply_rules(session, parse_rules(RULES, stored_accounts(session)))
        document = installation.metadata.decode()
        made.iam.create_saml_provider(Name="ExampleIdP", SAMLMetadataDocument=document)
        for role in ROLES:
            made.iam.create_role(
                RoleName=role, AssumeRolePolicyDocument=json.dumps(made.trusting(made.plain_acs))
            )
        return made

    @property
    def iam(self) -> Any:
        return boto3.client(
            "iam",
            endpoint_url=self.sandbox.address,
            region_name="us-east-1",
            aws_access_key_id=self.number,
            aws_secret_access_key="any",
        )

    @property
    def arn(self) -> str:
        return str(ProviderArn("aws", self.number, "ExampleIdP"))

    @property
    def plain_acs(self) -> str:
        return f"{self.sandbox.address}/saml"

    @property
    def own_acs(self) -> str:
        return f"{self.sandbox.address}/saml/acs/{self.held.uuid}"

    @property
    def held(self) -> SamlProvider:
        found = self.sandbox.held(self.number)
        assert found is not None
        return found

    @property
    def key_ids(self) -> list[str]:
        return [key.key_id for key in self.held.private_keys]

    @property
    def state(self) -> EncryptionState:
        with self.installation.database.reading() as session:
            return stored_encryption(session, self.number)

    @property
    def database_file(self) -> str:
        return self.installation.settings.database_url.removeprefix("sqlite:///")

    def role(self, name: str = "Developer") -> str:
        return f"arn:aws:iam::{self.number}:role/{name}"

    def trusting(self, *addresses: str) -> dict[str, Any]:
        return {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Federated": self.arn},
                    "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession"],
                    "Condition": {"StringEquals": {"SAML:aud": list(addresses)}},
                }
            ],
        }

    def trust(self, name: str = "Developer") -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.iam.get_role(RoleName=name)["Role"][
            "AssumeRolePolicyDocument"
        ]
        return found

    def audiences(self, name: str = "Developer") -> list[str]:
        found: list[str] = self.trust(name)["Statement"][0]["Condition"]["StringEquals"]["SAML:aud"]
        return found

    def set_trust(self, name: str, document: Mapping[str, Any]) -> None:
        self.iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(document))

    def some_pem(self) -> str:
        """A private key of somebody else."""
        return keys("somebody else").private_pem.decode()

    def only(self, field: str) -> Fault:
        """Lets those updates through that have this field; refuses the others."""
        refuse = refusing("AccessDenied", 403, "no way")

        def answer(forward: Forward) -> Answer:
            return forward() if field in self.proxy.calls[-1].fields else refuse(forward)

        return answer

    def run(self, command: str, *options: str) -> Result:
        """`idp aws encryption …` for this account, through the proxy, without waiting."""
        return self.installation.run(*self.arguments(command, *options))

    def arguments(self, command: str, *options: str) -> list[str]:
        waiting = [] if command == "status" else ["--settle", "0"]
        return [
            *("encryption", command, self.number, "--endpoint-url", self.proxy.address),
            *(*waiting, *options),
        ]

    def enable(self, *options: str) -> Result:
        return self.run("enable", "--update-trust", "--bits", "2048", *options)

    def events(self) -> list[str]:
        """The types of this account's admin events, in order."""
        with self.installation.database.reading() as session:
            rows = session.scalars(select(AuditEventRow).order_by(AuditEventRow.seq)).all()
        return [row.type for row in rows if json.loads(row.detail).get("subject") == self.number]

    def form(self) -> str:
        """What a person would post now to become Developer: a base64 response."""
        made = self.installation
        handover = Handover(
            made.database,
            made.settings,
            Entitlements(made.database),
            KeyRing(made.database, made.settings),
            AuditLog(made.database),
        )
        now = datetime.now(UTC)
        person = Person("local", "1", "ann", "Ann", groups=(Group("staff"),))
        signed_in = SignedIn("0" * 64, "p" * 32, person, now, now, now, (), "")
        grants = handover.grants_of(signed_in, "192.0.2.1")
        names = KeptNames(made.database, keep=False)
        request = RoleRequest(self.role())
        return handover.prepare(grants, signed_in, request, names, now).response.form_value()

    def signs_in(self) -> bool:
        """Whether STS takes what a person would post now."""
        return self.redeems(self.form())

    def redeems(self, response: str) -> bool:
        """Whether STS takes this response for the role Developer."""
        sts = boto3.session.Session().client(
            "sts",
            endpoint_url=self.sandbox.address,
            region_name="us-east-1",
            config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}),
        )
        try:
            sts.assume_role_with_saml(
                RoleArn=self.role(), PrincipalArn=self.arn, SAMLAssertion=response
            )
        except ClientError:
            return False
        return True

    def sends_encrypted(self) -> bool:
        return is_encrypted(self.form())


def is_encrypted(response: str) -> bool:
    root = etree.fromstring(base64.b64decode(response))
    return root.find(f"{SAML}EncryptedAssertion") is not None
