"""A stolen signing key shows: what AWS saw, as its command line prints it, against our trail."""

from __future__ import annotations

import base64
import gzip
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from idp.aws.arn import RoleArn
from idp.cli.main import idp
from idp.preflight.dry_run import make_dry_run
from tests.company import Company, posted_form
from tests.interop.conftest import Aws

ADMIN = "arn:aws:iam::111122223333:role/Administrator"
DEVELOPER = "arn:aws:iam::111122223333:role/Developer"
PROVIDER = "arn:aws:iam::111122223333:saml-provider/ExampleIdP"


def redeem(aws: Aws, response: str, role: str) -> None:
    aws.client("sts").assume_role_with_saml(
        RoleArn=role, PrincipalArn=PROVIDER, SAMLAssertion=response
    )


def sign_in_and_redeem(company: Company, aws: Aws) -> str:
    """Gives the assertion's ID."""
    response = posted_form(company.signed_in("bob").open_role(DEVELOPER))["SAMLResponse"]
    redeem(aws, response, DEVELOPER)
    return assertion_id(response)


def forge(company: Company) -> str:
    """A response for ann's Administrator, made with our key and past our audit trail."""
    person = company.directory.find_by_name("ann")
    assert person
    parts = company.parts
    role = RoleArn.parse(ADMIN)
    made = make_dry_run(parts.handover, parts.database, person, role, datetime.now(UTC))
    return made.response.value


def assertion_id(response: str) -> str:
    text = base64.b64decode(response).decode()
    return text.partition("<saml:Assertion ")[2].partition('ID="')[2].partition('"')[0]


def looked_up(aws: Aws, folder: Path) -> str:
    """What the AWS command line prints, page after page."""
    command = [str(Path(sys.executable).parent / "aws"), "cloudtrail", "lookup-events"]
    command += ["--lookup-attributes", "AttributeKey=EventName,AttributeValue=AssumeRoleWithSAML"]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_ACCESS_KEY_ID": "111122223333",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    return subprocess.run(
        [*command, "--output", "json"], env=environment, check=True, capture_output=True, text=True
    ).stdout


def reconcile(company: Company, folder: Path, *arguments: str, given: str = "") -> Result:
    settings = folder / "idp.toml"
    settings.write_text(
        f"data_folder = '{company.settings.data_folder}'\n"
        f"[database]\nurl = '{company.settings.database_url}'\n"
        f"[aws]\nsandbox_url = '{company.settings.aws.sandbox_url}'\n"
    )
    command = ["-c", str(settings), "audit", "reconcile", *arguments]
    return CliRunner().invoke(idp, command, input=given)


def events(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_only_the_forged_session_is_named(company: Company, aws: Aws, tmp_path: Path) -> None:
    ours = sign_in_and_redeem(company, aws)
    forged = forge(company)
    redeem(aws, forged, ADMIN)
    found = reconcile(
        company, tmp_path, "--cloudtrail", "-", "--json", given=looked_up(aws, tmp_path)
    )
    assert found.exit_code == 1, found.output
    [named] = [each for each in events(found) if each["assertion_id"] == assertion_id(forged)]
    assert (named["finding"], named["role"]) == ("not issued", ADMIN)
    assert named["session_name"] == "ann"
    assert ours not in found.stdout

    everything = reconcile(
        company, tmp_path, "--cloudtrail", "-", "--json", "--all", given=looked_up(aws, tmp_path)
    )
    [own] = [each for each in events(everything) if each["assertion_id"] == ours]
    assert (own["finding"], own["actor"], own["redeemed"]) == ("issued", "local/bob", 1)
    assert own["key"] == company.parts.keys.active().key.fingerprint


def written_event(aws: Aws, folder: Path, assertion: str) -> dict[str, Any]:
    for each in json.loads(looked_up(aws, folder))["Events"]:
        event: dict[str, Any] = json.loads(each["CloudTrailEvent"])
        if event["requestParameters"]["sAMLAssertionID"] == assertion:
            return event
    raise AssertionError("no such event")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"roleArn": ADMIN}, f"the role is {ADMIN}"),
        ({"roleSessionName": "root"}, "the session name is 'root', we wrote 'bob'"),
        ({"sourceIdentity": "ann"}, "the source identity is 'ann', we wrote 'bob'"),
        ({"eventTime": "2020-01-01T00:00:00Z"}, "before we issued it"),
        ({"eventTime": "2099-01-01T00:00:00Z"}, "after we issued it"),
    ],
)
def test_an_identifier_of_ours_on_another_session_is_named(
    company: Company, aws: Aws, tmp_path: Path, changes: dict[str, str], words: str
) -> None:
    event = written_event(aws, tmp_path, sign_in_and_redeem(company, aws))
    for name, value in changes.items():
        (event if name == "eventTime" else event["requestParameters"])[name] = value
    file = tmp_path / "events.json"
    file.write_text(json.dumps({"Records": [event]}))
    found = reconcile(company, tmp_path, "--cloudtrail", str(file))
    assert found.exit_code == 1
    assert "DIFFERENT" in found.stdout
    assert words in found.stdout


def test_every_form_in_which_events_are_handed_on_is_read(
    company: Company, aws: Aws, tmp_path: Path
) -> None:
    first = written_event(aws, tmp_path, sign_in_and_redeem(company, aws))
    second = {**first, "eventID": "another", "eventName": "ConsoleLogin"}
    folder = tmp_path / "AWSLogs" / "111122223333" / "CloudTrail"
    folder.mkdir(parents=True)
    (folder / "a.json.gz").write_bytes(gzip.compress(json.dumps({"Records": [first]}).encode()))
    (folder / "b.json").write_text(json.dumps([first, second]))
    (folder / "c.jsonl").write_text(f"{json.dumps(first)}\n{json.dumps(second)}\n")
    found = reconcile(company, tmp_path, "--cloudtrail", str(tmp_path / "AWSLogs"), "--all")
    assert (found.exit_code, found.stdout.count("ISSUED")) == (0, 1), found.output
    assert "1 event: 1 issued." in found.stderr


def test_a_second_redemption_is_counted_and_a_refused_one_told(
    company: Company, aws: Aws, tmp_path: Path
) -> None:
    event = written_event(aws, tmp_path, sign_in_and_redeem(company, aws))
    again = {**event, "eventID": "2"}
    refused = {**event, "eventID": "3", "errorCode": "AccessDenied", "responseElements": None}
    given = json.dumps([event, again, refused])
    found = events(
        reconcile(company, tmp_path, "--cloudtrail", "-", "--all", "--json", given=given)
    )
    assert [each["redeemed"] for each in found] == [1, 2, 0]
    assert found[2]["error"] == "AccessDenied"


def test_other_providers_and_times_before_the_trail_raise_no_alarm(
    company: Company, aws: Aws, tmp_path: Path
) -> None:
    event = written_event(aws, tmp_path, sign_in_and_redeem(company, aws))
    asked = {**event["requestParameters"], "sAMLAssertionID": "_unknown"}
    old = {**event, "eventID": "1", "eventTime": "2020-01-01T00:00:00Z", "requestParameters": asked}
    other = {
        **event,
        "eventID": "2",
        "requestParameters": {**asked, "principalArn": PROVIDER + "2"},
        "responseElements": {"issuer": "https://sso.example.net"},
    }
    nameless = {**event, "eventID": "3", "requestParameters": None, "errorCode": "AccessDenied"}
    found = reconcile(
        company, tmp_path, "--cloudtrail", "-", "--all", "--json", given=json.dumps([old, other])
    )
    assert found.exit_code == 0
    assert [each["finding"] for each in events(found)] == ["before the trail", "other provider"]
    # Ours by its issuer, although it says nothing else.
    assert (
        reconcile(company, tmp_path, "--cloudtrail", "-", given=json.dumps(nameless)).exit_code == 1
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no json",
        b'{"some": "thing"}',
        b"[1, 2]",
        b'{"Records": 7}',
        b'{"eventName": "AssumeRoleWithSAML"}',
        b'{"eventName": "AssumeRoleWithSAML", "eventID": "1", "eventTime": "yesterday"}',
        b'{"eventName": "AssumeRoleWithSAML", "eventID": "1", '
        b'"eventTime": "2026-01-01T00:00:00Z", "requestParameters": [1]}',
        b"\x1f\x8bcut off",
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_what_holds_no_events_is_refused_in_a_sentence(
    company: Company, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "events.json"
    file.write_bytes(content)
    found = reconcile(company, tmp_path, "--cloudtrail", str(file))
    problem = str(found.exception)
    assert type(found.exception).__name__ == "BadCloudTrail", found.exception
    assert str(file) in problem


def test_the_sandbox_pages_its_events_and_refuses_odd_questions(company: Company, aws: Aws) -> None:
    for _ in range(3):
        sign_in_and_redeem(company, aws)
    client = aws.client(
        "cloudtrail",
        {"AccessKeyId": "111122223333"}
        | dict.fromkeys(("SecretAccessKey", "SessionToken"))
        | {"SecretAccessKey": "x"},
    )
    first = client.lookup_events(MaxResults=2)
    second = client.lookup_events(MaxResults=2, NextToken=first["NextToken"])
    ids = {each["EventId"] for page in (first, second) for each in page["Events"]}
    assert len(ids) >= 3
    times = [each["EventTime"] for each in first["Events"] + second["Events"]]
    assert times == sorted(times, reverse=True)
    with pytest.raises(client.exceptions.InvalidNextTokenException):
        client.lookup_events(NextToken="nonsense")
    later = client.lookup_events(StartTime=datetime(2099, 1, 1, tzinfo=UTC))
    assert later["Events"] == []
