"""An AWS account inside a running sandbox, as tests use it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import boto3
from botocore import UNSIGNED
from botocore.config import Config

from tests.sandbox.maker import AWS, Recipe, metadata

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_sts import STSClient
    from mypy_boto3_sts.type_defs import AssumeRoleWithSAMLResponseTypeDef

_numbers = count(200000000001)


class Clock:
    """The time of day, which tests may move forward."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def reset(self) -> None:
        self.ahead = timedelta(0)


@dataclass(frozen=True)
class Running:
    """A sandbox that serves."""

    address: str
    clock: Clock


@dataclass(frozen=True)
class Page:
    status: int
    body: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Account:
    """One account; `number` is also its administrator's access key."""

    sandbox: Running
    number: str
    partition: str = "aws"
    region: str = "eu-west-1"
    attributes: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def fresh(cls, sandbox: Running, partition: str = "aws", region: str = "eu-west-1") -> Account:
        return cls(sandbox, str(next(_numbers)), partition, region)

    @property
    def provider(self) -> str:
        return f"arn:{self.partition}:iam::{self.number}:saml-provider/ExampleIdP"

    def role(self, name: str = "Developer") -> str:
        return f"arn:{self.partition}:iam::{self.number}:role/{name}"

    def client(self, service: str, credentials: Any = None) -> Any:
        keys = credentials or {"AccessKeyId": self.number, "SecretAccessKey": "any"}
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.sandbox.address,
            region_name=self.region,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys.get("SessionToken"),
            config=Config(retries={"total_max_attempts": 1}),
        )

    @property
    def iam(self) -> IAMClient:
        client: IAMClient = self.client("iam")
        return client

    @property
    def sts(self) -> STSClient:
        """STS as somebody without credentials calls it."""
        client: STSClient = boto3.client(
            "sts",
            endpoint_url=self.sandbox.address,
            region_name=self.region,
            config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}),
        )
        return client

    def create_provider(self, document: str | None = None) -> None:
        self.iam.create_saml_provider(
            Name="ExampleIdP", SAMLMetadataDocument=document or metadata()
        )

    def create_role(self, name: str, *, longest: int = 3600, **changes: Any) -> None:
        statement = {
            "Effect": "Allow",
            "Principal": {"Federated": self.provider},
            "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity"],
            "Condition": {"StringEquals": {"SAML:aud": f"{self.sandbox.address}/saml"}},
            **changes,
        }
        self.iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement}),
            MaxSessionDuration=longest,
        )

    def recipe(self, *roles: str, path: str = "/saml", **attributes: tuple[str, ...]) -> Recipe:
        values = tuple(f"{self.role(name)},{self.provider}" for name in roles or ("Developer",))
        return Recipe(
            now=self.sandbox.clock(),
            endpoint=self.sandbox.address + path,
            attributes={AWS + "Role": values, AWS + "RoleSessionName": ("ann@example.com",)},
        ).adding(**attributes)

    def assume(
        self, text: str, role: str = "Developer", **more: Any
    ) -> AssumeRoleWithSAMLResponseTypeDef:
        return self.sts.assume_role_with_saml(
            RoleArn=self.role(role), PrincipalArn=self.provider, SAMLAssertion=text, **more
        )

    def post(self, text: str, path: str = "/saml", **fields: str) -> Page:
        return post(self.sandbox.address, path, urlencode({"SAMLResponse": text, **fields}))


def post(
    address: str,
    path: str,
    body: str | bytes,
    kind: str = "application/x-www-form-urlencoded",
    method: str = "POST",
    host: str | None = None,
) -> Page:
    """Send one request and give the page, that of the console if it leads there."""
    place = urlsplit(address)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=30)
    headers = {"Content-Type": kind, **({"Host": host} if host else {})}
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        if answer.status == 303:
            answer.read()
            connection.request("GET", urlsplit(answer.headers["Location"]).path)
            answer = connection.getresponse()
        return Page(answer.status, answer.read().decode(), dict(answer.getheaders()))
    finally:
        connection.close()
