"""Text for IAM admins to copy: the ways to register our metadata, and a role's trust policy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

_NUMBER = "111122223333"
_PROVIDER = "ExampleIdP"


@dataclass(frozen=True, slots=True)
class Snippet:
    """One piece of text; `language` is a word such as "bash", `note` says what to change in it."""

    id: str
    title: str
    language: str
    text: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class ExampleAccount:
    """What the snippets are made out for. `sandbox_url` is empty for the real AWS."""

    metadata_url: str
    acs_urls: tuple[str, ...]
    sandbox_url: str = ""
    number: str = _NUMBER
    provider: str = _PROVIDER
    role: str = "Developer"
    partition: str = "aws"

    @property
    def provider_arn(self) -> str:
        """ARN of the IAM SAML provider."""
        return f"arn:{self.partition}:iam::{self.number}:saml-provider/{self.provider}"


def trust_policy(provider_arn: str, acs_urls: Sequence[str]) -> str:
    """The trust policy of a role that people of this identity provider may assume.

    The Recipient must be one of our endpoints (saml:aud), and the three actions let an assertion
    carry session tags and a source identity. Source: IAM User Guide, "Creating a role for SAML".
    """
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Federated": provider_arn},
                    "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity"],
                    "Condition": {"StringEquals": {"SAML:aud": list(acs_urls)}},
                }
            ],
        },
        indent=2,
    )


def snippets(account: ExampleAccount) -> tuple[Snippet, ...]:
    """All snippets, in the order in which an admin needs them."""
    policy = trust_policy(account.provider_arn, account.acs_urls)
    return (
        Snippet(
            "aws-cli",
            "Register with the AWS CLI",
            "bash",
            _aws_cli(account),
            f"Run it with credentials of account {account.number}.",
        ),
        Snippet("trust-policy", "Trust policy of a role", "json", policy, _trust_note(account)),
        Snippet("role", "Make the role with the AWS CLI", "bash", _role(account)),
        Snippet("cloudformation", "CloudFormation", "yaml", _cloudformation(account)),
        Snippet("terraform", "Terraform", "hcl", _terraform(account)),
        Snippet(
            "accounts",
            "Tell this identity provider about the account",
            "bash",
            f"idp aws account add {account.number} --alias dev --provider {account.provider}",
        ),
    )


def _trust_note(account: ExampleAccount) -> str:
    return (
        f"Save it as trust-policy.json, with your account's number in place of {account.number}. "
        "Without sts:TagSession or sts:SetSourceIdentity AWS refuses an assertion that carries "
        "tags or a source identity."
    )


def _endpoint_option(account: ExampleAccount) -> str:
    return f" \\\n  --endpoint-url {account.sandbox_url}" if account.sandbox_url else ""


def _aws_cli(account: ExampleAccount) -> str:
    return (
        f"curl -fsSo idp-metadata.xml {account.metadata_url}\n"
        "aws iam create-saml-provider \\\n"
        f"  --name {account.provider} \\\n"
        "  --saml-metadata-document file://idp-metadata.xml"
        f"{_endpoint_option(account)}"
    )


def _role(account: ExampleAccount) -> str:
    return (
        "aws iam create-role \\\n"
        f"  --role-name {account.role} \\\n"
        "  --assume-role-policy-document file://trust-policy.json \\\n"
        f"  --max-session-duration 43200{_endpoint_option(account)}"
    )


def _cloudformation(account: ExampleAccount) -> str:
    audiences = "\n".join(f"                  - {url}" for url in account.acs_urls)
    return f"""\
Parameters:
  Metadata:
    Type: String
    Description: The contents of idp-metadata.xml
Resources:
  IdentityProvider:
    Type: AWS::IAM::SAMLProvider
    Properties:
      Name: {account.provider}
      SamlMetadataDocument: !Ref Metadata
  {account.role}:
    Type: AWS::IAM::Role
    Properties:
      RoleName: {account.role}
      MaxSessionDuration: 43200
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal:
              Federated: !Ref IdentityProvider
            Action:
              - sts:AssumeRoleWithSAML
              - sts:TagSession
              - sts:SetSourceIdentity
            Condition:
              StringEquals:
                "SAML:aud":
{audiences}
"""


def _terraform(account: ExampleAccount) -> str:
    audiences = ", ".join(json.dumps(url) for url in account.acs_urls)
    return f"""\
resource "aws_iam_saml_provider" "idp" {{
  name                   = "{account.provider}"
  saml_metadata_document = file("idp-metadata.xml")
}}

data "aws_iam_policy_document" "trust" {{
  statement {{
    actions = ["sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity"]
    principals {{
      type        = "Federated"
      identifiers = [aws_iam_saml_provider.idp.arn]
    }}
    condition {{
      test     = "StringEquals"
      variable = "SAML:aud"
      values   = [{audiences}]
    }}
  }}
}}

resource "aws_iam_role" "{account.role.lower()}" {{
  name                 = "{account.role}"
  max_session_duration = 43200
  assume_role_policy   = data.aws_iam_policy_document.trust.json
}}
"""
