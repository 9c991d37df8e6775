"""The page on a stolen key, followed to the letter: key gone, forged session named."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from idp.aws.arn import RoleArn
from idp.demo.sandbox_accounts import register_accounts
from idp.entitlements.store import save_account
from idp.keys.store import active_key
from idp.preflight.dry_run import make_dry_run
from tests.company import ACCOUNTS, Company, make_company, posted_form
from tests.rotation.load_company import sandbox_process

pytestmark = pytest.mark.xdist_group("heavy")

ROOT = Path(__file__).parents[2]
DEV = replace(ACCOUNTS[0])
ADMIN = RoleArn("aws", DEV.number, "Administrator")
DEVELOPER = RoleArn("aws", DEV.number, "Developer")


@pytest.fixture
def company(tmp_path: Path, sqlite_url: str) -> Iterator[Company]:
    with sandbox_process() as address:
        made = make_company(tmp_path, sqlite_url, datetime.now(UTC), aws={"sandbox_url": address})
        metadata = made.visitor().get("/metadata").data
        roles = [RoleArn(each.partition, each.number, "Developer") for each in ACCOUNTS]
        register_accounts(address, metadata, ACCOUNTS, [*roles, ADMIN])
        with made.parts.database.writing() as session:
            for account in ACCOUNTS:
                save_account(session, replace(account, provider_id=None))
        yield made
        made.parts.database.close()


def redeem(company: Company, response: str, role: RoleArn) -> None:
    sts = boto3.client(
        "sts",
        endpoint_url=company.settings.aws.sandbox_url,
        region_name="us-east-1",
        config=Config(signature_version=UNSIGNED),
    )
    sts.assume_role_with_saml(
        RoleArn=str(role), PrincipalArn=str(DEV.provider), SAMLAssertion=response
    )


def run(script: str, company: Company, answers: str = "") -> subprocess.CompletedProcess[str]:
    """A script on a terminal where somebody types `answers`."""
    folder = company.settings.data_folder
    (folder / "idp.toml").write_text(
        f"data_folder = '{folder}'\n[database]\nurl = '{company.settings.database_url}'\n"
        f"[keys]\nfolder = '{company.settings.keys.folder}'\n"
        f"[aws]\nsandbox_url = '{company.settings.aws.sandbox_url}'\n"
    )
    environment = {
        **{name: text for name, text in os.environ.items() if not name.startswith(("IDP_", "AWS"))},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "IDP_CONFIG": str(folder / "idp.toml"),
        "AWS_ENDPOINT_URL": company.settings.aws.sandbox_url,
        "AWS_ACCESS_KEY_ID": DEV.number,
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_PAGER": "",
    }
    leader, follower = os.openpty()
    try:
        os.write(leader, answers.encode())
        return subprocess.run(
            ["bash", "-c", f"set -u -o pipefail\n{script}"],
            cwd=folder,
            env=environment,
            stdin=follower,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
    finally:
        os.close(leader)
        os.close(follower)


def blocks(page: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text()
    return re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_every_step_works_as_written(company: Company) -> None:
    parts = company.parts
    redeem(
        company,
        posted_form(company.signed_in("bob").open_role(str(DEVELOPER)))["SAMLResponse"],
        DEVELOPER,
    )
    person = company.directory.find_by_name("ann")
    assert person
    forged = make_dry_run(parts.handover, parts.database, person, ADMIN, datetime.now(UTC))
    redeem(company, forged.response.value, ADMIN)

    stolen = parts.keys.active().key
    replace_key, find_sessions, end_sessions, afterwards = (
        *blocks("stolen-key.md"),
        "idp audit checkpoint --out checkpoint.json\n",
    )
    first = run(replace_key.replace("KEY", stolen.id[:6]), company, "y\n")
    assert first.returncode == 0, first.stderr
    assert "Go on? [y/N]" in first.stderr
    assert str(DEVELOPER) in first.stdout  # what the key signed for us
    assert str(ADMIN) not in first.stdout
    assert "3 of 3 accounts are up to date." in first.stderr
    with parts.database.reading() as session:
        assert active_key(session).fingerprint != stolen.fingerprint
    assert company.visitor().get("/").status_code == 303

    second = run(find_sessions, company)
    assert second.returncode == 1, second.stderr
    [named] = [line for line in second.stdout.splitlines() if "NOT ISSUED" in line]
    assert str(ADMIN) in named
    assert "1 issued" in second.stderr
    assert "1 not issued" in second.stderr

    third = run(end_sessions.replace("ROLE", "Administrator"), company)
    assert third.returncode == 0, third.stderr
    iam = boto3.client(
        "iam",
        endpoint_url=company.settings.aws.sandbox_url,
        region_name="us-east-1",
        aws_access_key_id=DEV.number,
        aws_secret_access_key="x",
    )
    policy = iam.get_role_policy(RoleName="Administrator", PolicyName="AWSRevokeOlderSessions")
    assert json.loads(json.dumps(policy["PolicyDocument"]))["Statement"][0]["Effect"] == "Deny"

    assert run(afterwards, company).returncode == 0


def test_the_trails_page_reconciles_with_the_same_commands() -> None:
    assert blocks("audit.md")[0] in blocks("stolen-key.md")[1]
