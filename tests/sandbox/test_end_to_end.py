"""Unmodified SDKs and a posted form against a sandbox that really serves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.account import Account, Running


def code(problem: pytest.ExceptionInfo[ClientError]) -> str:
    return problem.value.response["Error"]["Code"]


def message(problem: pytest.ExceptionInfo[ClientError]) -> str:
    return problem.value.response["Error"]["Message"]


def test_a_response_becomes_credentials_that_work(account: Account) -> None:
    text = account.recipe(SourceIdentity=("ann",), PrincipalTag__Team=("blue",)).text()
    answer = account.assume(text)
    session = "ann@example.com"
    assert answer["AssumedRoleUser"]["Arn"] == (
        f"arn:aws:sts::{account.number}:assumed-role/Developer/{session}"
    )
    assert answer["AssumedRoleUser"]["AssumedRoleId"].startswith("AROA")
    assert answer["AssumedRoleUser"]["AssumedRoleId"].endswith(f":{session}")
    assert answer["Subject"] == "a7f0c2"
    assert answer["SubjectType"] == "persistent"
    assert answer["Issuer"] == "https://idp.example.com/metadata"
    assert answer["Audience"] == f"{account.sandbox.address}/saml"
    assert answer["SourceIdentity"] == "ann"
    assert 0 < answer["PackedPolicySize"] <= 100
    lasts = answer["Credentials"]["Expiration"] - account.sandbox.clock()
    assert timedelta(minutes=58) < lasts <= timedelta(hours=1)

    credentials = answer["Credentials"]
    who = account.client("sts", credentials).get_caller_identity()
    assert who["Account"] == account.number
    assert who["Arn"] == answer["AssumedRoleUser"]["Arn"]
    assert who["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"]

    bucket = f"photos-{account.number}"
    s3 = account.client("s3", credentials)
    s3.create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": account.region}
    )
    s3.put_object(Bucket=bucket, Key="a folder/ü+é.txt", Body=b"hello", Metadata={"k": "v"})
    assert s3.get_object(Bucket=bucket, Key="a folder/ü+é.txt")["Body"].read() == b"hello"
    assert [found["Name"] for found in s3.list_buckets()["Buckets"]] == [bucket]

    key = account.client("kms", credentials).create_key()["KeyMetadata"]
    assert key["AWSAccountId"] == account.number
    assert account.client("iam", credentials).get_role(RoleName="Developer")["Role"]["Arn"] == (
        account.role()
    )


def test_a_posted_form_opens_the_console_page(account: Account) -> None:
    page = account.post(
        account.recipe(PrincipalTag__Team=("blue sky",)).text(),
        RelayState="https://eu-west-1.console.aws.amazon.com/s3/",
    )
    assert page.status == 200
    for shown in ("assumed-role/Developer/ann@example.com", account.number, "blue sky"):
        assert shown in page.body
    assert 'href="https://eu-west-1.console.aws.amazon.com/s3/"' in page.body
    assert page.headers["Cache-Control"] == "no-store"
    assert "script" not in page.headers["Content-Security-Policy"]
    assert "'unsafe-inline'" not in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "destination",
    [
        "https://console.aws.amazon.com.evil.example/",
        "https://evil.example/console.aws.amazon.com",
        "javascript:alert(1)",
        "https://user@console.aws.amazon.com/",
        "http://console.aws.amazon.com/",
        "//console.aws.amazon.com/",
    ],
)
def test_other_destinations_are_shown_but_not_linked(account: Account, destination: str) -> None:
    page = account.post(account.recipe().text(), RelayState=destination)
    assert page.status == 200
    assert destination in page.body
    assert f'href="{destination}"' not in page.body


def test_several_roles_bring_the_chooser_and_the_choice_signs_in(account: Account) -> None:
    account.create_role("Auditor")
    text = account.recipe("Developer", "Auditor").text()
    page = account.post(text)
    assert page.status == 200
    assert "Select a role" in page.body
    assert account.role("Auditor") in page.body
    chosen = account.post(text, roleIndex=f"{account.role('Auditor')},{account.provider}")
    assert chosen.status == 200
    assert "assumed-role/Auditor/" in chosen.body
    other = account.post(text, roleIndex=f"{account.role('Admin')},{account.provider}")
    assert other.status == 400


def test_a_role_of_another_partition_works_there(running: Running) -> None:
    running.clock.reset()
    china = Account.fresh(running, "aws-cn", "cn-north-1")
    china.create_provider()
    china.create_role("Developer")
    recipe = china.recipe()
    object.__setattr__(recipe, "audience", "urn:amazon:webservices:cn-north-1")
    answer = china.assume(recipe.text())
    who = china.client("sts", answer["Credentials"]).get_caller_identity()
    assert who["Arn"] == f"arn:aws-cn:sts::{china.number}:assumed-role/Developer/ann@example.com"


def test_the_provider_s_own_url_takes_its_responses_only(account: Account) -> None:
    uuid = account.iam.get_saml_provider(SAMLProviderArn=account.provider)["SAMLProviderUUID"]
    path = f"/eu-west-1/saml/acs/{uuid}"
    account.create_role(
        "Any", Condition={"StringEquals": {"saml:aud": account.sandbox.address + path}}
    )
    assert account.post(account.recipe("Any", path=path).text(), path).status == 200
    wrong = f"/saml/acs/{'X' * len(uuid)}"
    refused = account.post(account.recipe("Any", path=wrong).text(), wrong)
    assert refused.status == 400
    assert uuid in refused.body


def test_the_metadata_names_the_endpoints(account: Account) -> None:
    from tests.sandbox.account import post

    page = post(account.sandbox.address, "/static/saml-metadata.xml", "", method="GET")
    assert page.status == 200
    assert 'entityID="urn:amazon:webservices"' in page.body
    assert f'Location="{account.sandbox.address}/saml"' in page.body
    assert f'Location="{account.sandbox.address}/eu-west-1/saml"' in page.body


def test_refusals_come_in_aws_s_words(account: Account) -> None:
    with pytest.raises(ClientError) as problem:
        account.assume("A" * 100)
    assert code(problem) == "InvalidIdentityToken"
    text = account.recipe().text()
    account.sandbox.clock.ahead = timedelta(minutes=6)
    with pytest.raises(ClientError) as problem:
        account.assume(text)
    assert code(problem) == "ExpiredTokenException"
    assert message(problem) == "Token must be redeemed within 5 minutes of issuance"
    page = account.post(text)
    assert page.status == 400
    assert "<h1>Token must be redeemed within 5 minutes of issuance</h1>" in page.body
    assert "Wanted" in page.body


def test_a_role_that_is_missing_or_does_not_trust_is_denied(account: Account) -> None:
    account.create_role("Strict", Action="sts:AssumeRoleWithSAML")
    account.create_role("Elsewhere", Condition={"StringEquals": {"SAML:aud": "https://x"}})
    tagged = account.recipe("Strict", "developer", "Elsewhere", PrincipalTag__A=("b",)).text()
    for role in ("Strict", "developer", "Elsewhere"):
        with pytest.raises(ClientError) as problem:
            account.assume(tagged, role)
        assert code(problem) == "AccessDenied"
        assert message(problem) == "Not authorized to perform sts:AssumeRoleWithSAML"
        assert problem.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    plain = account.recipe("Strict").text()
    assert account.assume(plain, "Strict")["Credentials"]
    page = account.post(account.recipe("Strict", PrincipalTag__A=("b",)).text())
    assert page.status == 403
    assert "sts:TagSession" in page.body


def test_the_role_asked_for_must_be_in_the_assertion(account: Account) -> None:
    account.create_role("Admin")
    with pytest.raises(ClientError) as problem:
        account.assume(account.recipe("Developer").text(), "Admin")
    assert code(problem) == "InvalidIdentityToken"
    assert message(problem).startswith("SAML Assertion doesn't contain the requested Role")


@pytest.mark.parametrize(
    ("attribute", "asked", "minutes"),
    [(None, None, 60), (None, 900, 15), ("900", 3600, 15), ("7200", None, 60), ("7200", 1800, 30)],
)
def test_session_duration_only_shortens_an_api_session(
    account: Account, attribute: str | None, asked: int | None, minutes: int
) -> None:
    more: dict[str, Any] = {"SessionDuration": (attribute,)} if attribute else {}
    wanted: dict[str, Any] = {"DurationSeconds": asked} if asked else {}
    answer = account.assume(account.recipe(**more).text(), **wanted)
    lasts = answer["Credentials"]["Expiration"] - account.sandbox.clock()
    assert timedelta(minutes=minutes - 2) < lasts <= timedelta(minutes=minutes)


def test_a_longer_session_than_the_role_allows_is_refused(account: Account) -> None:
    with pytest.raises(ClientError) as problem:
        account.assume(account.recipe().text(), DurationSeconds=3601)
    assert code(problem) == "ValidationError"
    assert "exceeds the MaxSessionDuration set for this role" in message(problem)
    account.create_role("Long", longest=43200)
    page = account.post(account.recipe("Long", SessionDuration=("43200",)).text())
    assert page.status == 200


def test_credentials_are_held_to_key_token_signature_and_expiry(account: Account) -> None:
    issued = dict(account.assume(account.recipe().text())["Credentials"])
    for change, expected in (
        ({"SessionToken": "other"}, "InvalidClientTokenId"),
        ({"AccessKeyId": "ASIAUNKNOWN234567890"}, "InvalidClientTokenId"),
        ({"SecretAccessKey": "other"}, "SignatureDoesNotMatch"),
    ):
        with pytest.raises(ClientError) as problem:
            account.client("sts", {**issued, **change}).get_caller_identity()
        assert code(problem) == expected
        assert problem.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    with pytest.raises(ClientError) as problem:
        account.client("sts", issued).get_session_token()
    assert code(problem) == "AccessDenied"
    account.sandbox.clock.ahead = timedelta(hours=1)
    for service, call in (("sts", "get_caller_identity"), ("s3", "list_buckets")):
        with pytest.raises(ClientError) as problem:
            getattr(account.client(service, issued), call)()
        assert code(problem) == "ExpiredToken"
    with pytest.raises(ClientError) as problem:
        account.client("kms", issued).list_keys()
    assert code(problem) == "ExpiredToken"


def test_keys_made_by_iam_belong_to_their_account(account: Account) -> None:
    account.iam.create_user(UserName="robot")
    made = account.iam.create_access_key(UserName="robot")["AccessKey"]
    who = account.client("sts", made).get_caller_identity()
    assert who["Arn"] == f"arn:aws:iam::{account.number}:user/robot"


def test_the_aws_cli_works_unmodified(account: Account, tmp_path: Path) -> None:
    program = Path(sys.executable).parent / "aws"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": account.sandbox.address,
        "AWS_DEFAULT_REGION": account.region,
    }

    def aws(*arguments: str, **more: str) -> Any:
        done = subprocess.run(
            [str(program), *arguments, "--output", "json"],
            env={**environment, **more},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    answer = aws(
        *("sts", "assume-role-with-saml", "--role-arn", account.role()),
        *("--principal-arn", account.provider, "--saml-assertion", account.recipe().text()),
    )
    credentials = answer["Credentials"]
    who = aws(
        "sts",
        "get-caller-identity",
        AWS_ACCESS_KEY_ID=credentials["AccessKeyId"],
        AWS_SECRET_ACCESS_KEY=credentials["SecretAccessKey"],
        AWS_SESSION_TOKEN=credentials["SessionToken"],
    )
    assert who["Arn"] == answer["AssumedRoleUser"]["Arn"]
