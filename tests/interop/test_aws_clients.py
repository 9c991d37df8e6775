"""Unmodified AWS clients redeem what the browser would post."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
from botocore.exceptions import ClientError

from tests.company import Company, posted_form, response_xml
from tests.interop.conftest import Aws

DEV = "arn:aws:iam::111122223333:role/Administrator"
READ = "arn:aws:iam::111122223333:role/ReadOnly"
PROVIDER = "arn:aws:iam::111122223333:saml-provider/ExampleIdP"


def assertion(company: Company, role: str) -> str:
    return posted_form(company.signed_in("ann").open_role(role))["SAMLResponse"]


def test_boto3_redeems_it_and_works_with_the_credentials(company: Company, aws: Aws) -> None:
    answer = aws.client("sts").assume_role_with_saml(
        RoleArn=DEV, PrincipalArn=PROVIDER, SAMLAssertion=assertion(company, DEV)
    )
    assert answer["AssumedRoleUser"]["Arn"].endswith(":assumed-role/Administrator/ann")
    assert answer["Issuer"] == company.settings.entity_id
    assert answer["Audience"] == f"{aws.url}/saml"
    assert answer["SubjectType"] == "persistent"
    assert answer["SourceIdentity"] == "ann"

    credentials = answer["Credentials"]
    identity = aws.client("sts", credentials).get_caller_identity()
    assert identity["Account"] == "111122223333"
    assert identity["Arn"] == "arn:aws:sts::111122223333:assumed-role/Administrator/ann"
    assert identity["UserId"].endswith(":ann")

    s3 = aws.client("s3", credentials)
    s3.create_bucket(Bucket="anns-bucket")
    s3.put_object(Bucket="anns-bucket", Key="hello", Body=b"from ann")
    assert s3.get_object(Bucket="anns-bucket", Key="hello")["Body"].read() == b"from ann"
    assert aws.client("kms", credentials).create_key()["KeyMetadata"]["AWSAccountId"] == (
        "111122223333"
    )


def test_the_aws_command_line_redeems_it(company: Company, aws: Aws, tmp_path: Path) -> None:
    def run(*words: str, **credentials: str) -> dict[str, object]:
        command = [str(Path(sys.executable).parent / "aws"), *words, "--output", "json"]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "AWS_ENDPOINT_URL": aws.url,
            "AWS_DEFAULT_REGION": "us-east-1",
            **credentials,
        }
        done = subprocess.run(command, env=environment, capture_output=True, check=True)
        found: dict[str, object] = json.loads(done.stdout)
        return found

    (tmp_path / "assertion").write_text(assertion(company, READ))
    answer = run(
        *("sts", "assume-role-with-saml", "--role-arn", READ, "--principal-arn", PROVIDER),
        *("--saml-assertion", f"file://{tmp_path / 'assertion'}"),
    )
    keys = answer["Credentials"]
    assert isinstance(keys, dict)
    identity = run(
        *("sts", "get-caller-identity"),
        AWS_ACCESS_KEY_ID=keys["AccessKeyId"],
        AWS_SECRET_ACCESS_KEY=keys["SecretAccessKey"],
        AWS_SESSION_TOKEN=keys["SessionToken"],
    )
    assert identity["Arn"] == "arn:aws:sts::111122223333:assumed-role/ReadOnly/ann"


@pytest.mark.parametrize(
    "role",
    [
        "arn:aws:iam::111122223333:role/Administrator",
        "arn:aws:iam::222233334444:role/Administrator",
        "arn:aws-cn:iam::444455556666:role/Administrator",
        "arn:aws:iam::222233334444:role/ReadOnly",
    ],
)
def test_the_console_lets_every_granted_role_in(company: Company, aws: Aws, role: str) -> None:
    page = company.signed_in("ann").open_role(role)
    response_xml(company, page)
    form = posted_form(page)
    with urlopen(form.pop("action"), urlencode(form).encode()) as answer:
        text = answer.read().decode()
    assert answer.status == 200
    assert role.split(":")[4] in text
    assert role in text


def test_a_session_can_be_shorter_than_the_rule_says_but_not_longer(
    company: Company, aws: Aws
) -> None:
    sts = aws.client("sts")
    good = {"RoleArn": DEV, "PrincipalArn": PROVIDER, "SAMLAssertion": assertion(company, DEV)}
    for asked, length in ((900, 900), (3600, 3600), (7200, 3600)):
        answer = sts.assume_role_with_saml(**good, DurationSeconds=asked)
        left = answer["Credentials"]["Expiration"] - datetime.now(UTC)
        assert timedelta(seconds=length - 60) < left <= timedelta(seconds=length)


def test_another_role_than_the_one_asserted_is_refused(company: Company, aws: Aws) -> None:
    with pytest.raises(ClientError) as refusal:
        aws.client("sts").assume_role_with_saml(
            RoleArn=READ, PrincipalArn=PROVIDER, SAMLAssertion=assertion(company, DEV)
        )
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403)
