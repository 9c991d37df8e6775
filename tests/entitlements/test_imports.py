"""What AD FS and Okta do with group names, taken over as rules that apply takes."""

from __future__ import annotations

import json
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from idp.cli.roles_import import BadImport
from idp.directory.person import Group, Person
from idp.entitlements.account import Account, Accounts
from idp.entitlements.evaluate import evaluate
from idp.entitlements.importing.adfs import import_claim_rules
from idp.entitlements.importing.claim_rules import BadClaimRules
from idp.entitlements.importing.imported import Imported, rules_file_of
from idp.entitlements.importing.okta import BadOktaSettings, import_okta_settings
from idp.entitlements.rule import RoleRule
from idp.entitlements.rules_file import parse_rules
from idp.entitlements.ruleset import RuleSet

ACCOUNTS = Accounts(
    [
        Account("123456789012", "dev", "aws", "ExampleIdP"),
        Account("222233334444", "prod", "aws", "ExampleIdP"),
    ]
)
BASE = ("OU=AWS,DC=corp,DC=example",)
ROLE = "https://aws.amazon.com/SAML/Attributes/Role"
AWS = "https://aws.amazon.com/SAML/Attributes/"
ACCOUNT_NAME = (
    'c:[Type == "http://schemas.microsoft.com/ws/2008/06/identity/claims/windowsaccountname", '
    'Issuer == "AD AUTHORITY"]\n => '
)
# As Microsoft's and AWS's own instructions have it.
WHOLE = rf"""
@RuleTemplate = "MapClaims"
@RuleName = "NameId"
c:[Type == "http://schemas.microsoft.com/ws/2008/06/identity/claims/windowsaccountname"]
 => issue(Type = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier",
    Issuer = c.Issuer, OriginalIssuer = c.OriginalIssuer, Value = c.Value, ValueType = c.ValueType,
    Properties["http://schemas.xmlsoap.org/ws/2005/05/identity/claimproperties/format"]
        = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent");

@RuleTemplate = "LdapClaims"
@RuleName = "RoleSessionName"
{ACCOUNT_NAME} issue(store = "Active Directory", types = ("{AWS}RoleSessionName"),
    query = ";mail;{{0}}", param = c.Value);

@RuleName = "Get AD Groups"
{ACCOUNT_NAME} add(store = "Active Directory", types = ("http://temp/variable"),
    query = ";tokenGroups;{{0}}", param = c.Value);

@RuleName = "Roles"
c:[Type == "http://temp/variable", Value =~ "(?i)^AWS-"]
 => issue(Type = "{ROLE}", Value = RegExReplace(c.Value, "AWS-",
    "arn:aws:iam::123456789012:saml-provider/ADFS,arn:aws:iam::123456789012:role/ADFS-"));

=> issue(Type = "{AWS}SessionDuration", Value = "28800");
{ACCOUNT_NAME} issue(store = "Active Directory", types = ("{AWS}PrincipalTag:Department",
    "{AWS}PrincipalTag:Site"), query = ";department,l;{{0}}", param = c.Value);
"""


def roles_of(imported: Imported, *groups: str, sid: str | None = None) -> list[str]:
    """The roles of a member of these groups, by the file that was printed."""
    read = parse_rules(rules_file_of(imported).encode(), ACCOUNTS)
    held = tuple(Group(name, f"CN=g,{BASE[0]}", sid) for name in groups)
    attributes = dict.fromkeys(("department", "location"), ("x@y",)) | {
        "awsrole": ("arn:aws:iam::123456789012:role/Own",)
    }
    who = Person("corp", "1", "ann", "Ann", "ann@corp.example", held, attributes)
    return [str(grant.role)[13:] for grant in evaluate(RuleSet(read, ACCOUNTS), who).grants]


def adfs(text: str) -> Imported:
    return import_claim_rules(text, "corp", BASE)


def by_replacement(pattern: str, replacement: str, held: str = "") -> str:
    asked = f', Value =~ "{held}"' if held else ""
    return (
        f'c:[Type == "http://temp/variable"{asked}]\n => issue(Type = "{ROLE}", '
        f'Value = RegExReplace(c.Value, "{pattern}", "{replacement}"));'
    )


def test_takes_over_the_rules_of_the_well_known_instructions() -> None:
    imported = adfs(WHOLE)
    assert imported.rules == [
        RoleRule(
            "Roles",
            directory="corp",
            group_pattern=r"^AWS-(?P<role>[\w+=,.@-]{1,64})$",
            group_base=BASE,
            roles=("ADFS-{role}",),
            accounts=("123456789012",),
            duration=28_800,
            role_session_name="{email}",
            tags={"Department": "{department}", "Site": "{location}"},
        )
    ]
    assert not imported.left
    assert roles_of(imported, "AWS-Production", "staff") == ["123456789012:role/ADFS-Production"]
    assert any("SAML provider ADFS" in each for each in imported.remarks)


@pytest.mark.parametrize(
    ("rule", "group", "role"),
    [
        (
            by_replacement(
                r"AWS-([\d]{12})-",
                "arn:aws:iam::$1:saml-provider/idp1,arn:aws:iam::$1:role/",
                r"(?i)^AWS-([\d]{12})",
            ),
            "AWS-222233334444-Ops",
            "222233334444:role/Ops",
        ),
        (
            by_replacement(
                "AWS-([^d]{12})-",
                "arn:aws:iam::$1:saml-provider/x,arn:aws:iam::$1:role/",
                "(?i)^AWS-([^d]{12})-",
            ),
            "AWS-222233334444-Ops",
            "222233334444:role/Ops",
        ),
        (
            by_replacement(
                r"^(?i)aws-(?<account>\d{12})-(?<role>.+)$",
                "arn:aws:iam::${account}:role/${role},arn:aws:iam::${account}:saml-provider/ADFS",
            ),
            "AwS-222233334444-Ops",
            "222233334444:role/Ops",
        ),
        (
            by_replacement(
                r"^AWS_(\d+)_(Admin|Read)$",
                "arn:aws:iam::$1:role/corp-$2-x,arn:aws:iam::$1:saml-provider/ADFS",
            ),
            "AWS_222233334444_Admin",
            "222233334444:role/corp-Admin-x",
        ),
        (
            f'c:[Type == "http://schemas.xmlsoap.org/claims/Group", Value == "CORP\\Admins"] '
            f'=> issue(Type = "{ROLE}", Value = "arn:aws:iam::123456789012:role/Admin,'
            'arn:aws:iam::123456789012:saml-provider/ADFS");',
            "admins",
            "123456789012:role/Admin",
        ),
        (
            f'{ACCOUNT_NAME} issue(store = "Active Directory", types = ("{ROLE}"), '
            'query = ";awsRole;{0}", param = c.Value);',
            "any",
            "123456789012:role/Own",
        ),
    ],
)
def test_gives_the_role_that_adfs_gave(rule: str, group: str, role: str) -> None:
    imported = adfs(rule)
    assert imported.left == []
    assert roles_of(imported, group) == [role]
    assert roles_of(imported, f"x{group}") == ([role] if "awsRole" in rule else [])


def test_a_group_by_sid_stays_one_by_sid() -> None:
    sid = "S-1-5-21-1-2-3-1104"
    kind = "http://schemas.microsoft.com/ws/2008/06/identity/claims/groupsid"
    imported = adfs(
        f'c:[Type == "{kind}", Value == "{sid}", Issuer == "AD AUTHORITY"] => issue(Type = '
        f'"{ROLE}", Value = "arn:aws:iam::123456789012:role/A,'
        'arn:aws:iam::123456789012:saml-provider/P");'
    )
    assert roles_of(imported, "any", sid=sid) == ["123456789012:role/A"]
    assert roles_of(imported, sid) == []


def test_attributes_of_active_directory_get_our_names_and_others_are_told() -> None:
    """What AD FS read without any setting has to work, or to say what setting it needs."""
    claims = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
    imported = adfs(
        by_replacement(
            "^AWS-", "arn:aws:iam::123456789012:role/,arn:aws:iam::123456789012:saml-provider/P"
        )
        + f'c:[Type == "{claims}emailaddress"] => issue(Type = "{AWS}RoleSessionName", '
        "Value = c.Value);"
        f'c:[Type == "{claims}upn"] => issue(Type = "{AWS}SourceIdentity", Value = c.Value);'
        f'{ACCOUNT_NAME} issue(store = "Active Directory", types = ("{AWS}PrincipalTag:Name", '
        f'"{AWS}PrincipalTag:Cost"), query = ";sAMAccountName,extensionAttribute1;{{0}}", '
        "param = c.Value);"
        f'{ACCOUNT_NAME} issue(store = "Active Directory", types = ("{ROLE}"), '
        'query = ";awsRole;{0}", param = c.Value);'
    )
    assert imported.left == []
    first = imported.rules[0]
    assert (first.role_session_name, first.source_identity) == ("{email}", "{upn}")
    assert first.tags == {"Name": "{username}", "Cost": "{extensionattribute1}"}
    told = " ".join(imported.remarks)
    assert 'settings: extensionattribute1 = "extensionAttribute1".' in told
    assert 'settings: awsrole = "awsRole".' in told
    assert "sAMAccountName" not in told


def test_a_large_file_is_read_soon() -> None:
    rule = by_replacement(
        "AWS-", "arn:aws:iam::123456789012:role/,arn:aws:iam::123456789012:saml-provider/P"
    )
    began = time.process_time()
    assert len(adfs(f"{rule}\n" * 1_000).rules) == 1_000
    with pytest.raises(BadClaimRules, match="Line 1 "):
        adfs("c:[" * 100_000)
    assert time.process_time() - began < 20


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (
            f'=> issue(Type = "{ROLE}", Value = "arn:aws:iam::123456789012:role/All,'
            'arn:aws:iam::123456789012:saml-provider/P");',
            "everyone whom AD FS lets in",
        ),
        (by_replacement("AWS-", "arn:aws:iam::123456789012:role/A"), "is not the ARN of a role"),
        (
            by_replacement(
                "(?=A)AWS-", "arn:aws:iam::123456789012:role/,arn:aws:iam::1:saml-provider/P"
            ),
            "a kind of parenthesis",
        ),
        (
            by_replacement(
                r"^(\w+)-(\w+)-(\w+)$",
                "arn:aws:iam::$1:role/$2-$3,arn:aws:iam::$1:saml-provider/P",
            ),
            "several parts of the name",
        ),
        (
            by_replacement(
                r"^(?:a+)+-(\w+)$",
                "arn:aws:iam::123456789012:role/$1,arn:aws:iam::1:saml-provider/P",
            ),
            "quantifier after a parenthesis",
        ),
        (
            'c1:[Type == "a"] && c2:[Type == "b"] => issue(Type = "'
            + ROLE
            + '", Value = c1.Value);',
            "several claims",
        ),
        (
            f'c:[Type == "a"] => issue(Type = "{ROLE}", Value = "arn" + c.Value);',
            "put together in a way",
        ),
        ('=> issue(Type = "http://other", Value = "x");', "AWS does not read"),
    ],
)
def test_names_what_has_no_counterpart_and_why(rule: str, why: str) -> None:
    imported = adfs(rule)
    assert imported.rules == []
    assert why in imported.left[0]
    assert tomllib.loads(rules_file_of(imported)) == {}


def test_what_stands_in_a_rule_can_not_leave_its_comment() -> None:
    imported = adfs('@RuleName = "x\n[[rule]]\nname = evil" => issue(Type = "y", Value = "z");')
    assert tomllib.loads(rules_file_of(imported)) == {}


@pytest.mark.parametrize(
    "text", ["", "hello", "c:[Type == ] => issue();", '=> issue(Type = "x"', "=> deny();", "\0"]
)
def test_refuses_text_that_is_no_claim_rule(text: str) -> None:
    with pytest.raises(BadClaimRules):
        adfs(text)


OKTA: dict[str, Any] = {
    "appFilter": "active_directory",
    "groupFilter": r"^aws\#\S+\#(?{{role}}[\w\-]+)\#(?{{accountid}}\d+)$",
    "joinAllRoles": True,
    "roleValuePattern": "arn:aws:iam::${accountid}:saml-provider/OKTA,"
    "arn:aws:iam::${accountid}:role/${role}",
    "sessionDuration": 43_200,
}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(OKTA),
        json.dumps({"id": "0oa", "settings": {"app": OKTA, "signOn": {}}}),
        f"App Filter: okta\nGroup Filter: {OKTA['groupFilter']}\n"
        f"Role Value Pattern: {OKTA['roleValuePattern']}\nSession Duration: 43200\n",
    ],
)
def test_takes_over_the_settings_of_okta(text: str) -> None:
    imported = import_okta_settings(text, "corp", BASE)
    (rule,) = imported.rules
    assert (rule.duration, rule.group_base) == (43_200, BASE)
    groups = ("aws#prod#Read-Only#222233334444", "aws#prod#X#999999999999")
    assert roles_of(imported, *groups) == ["222233334444:role/Read-Only"]


@pytest.mark.parametrize("form", ["  {} = {}", '  "{}": {},'])
def test_takes_over_a_terraform_file(form: str) -> None:
    written = {**OKTA, "roleValuePattern": OKTA["roleValuePattern"].replace("$", "$$")}
    lines = "\n".join(form.format(key, json.dumps(value)) for key, value in written.items())
    imported = import_okta_settings(
        'resource "okta_app_saml" "aws" {\n  preconfigured_app = "amazon_aws"\n'
        f"  app_settings_json = jsonencode({{\n{lines}\n  }})\n}}\n",
        "corp",
        BASE,
    )
    assert imported.left == []
    assert imported.rules[0].duration == 43_200
    assert roles_of(imported, "aws#prod#Ops#222233334444") == ["222233334444:role/Ops"]
    assert any("Okta took groups of active_directory only" in each for each in imported.remarks)


def test_an_okta_filter_that_is_not_anchored_is_anchored_and_told() -> None:
    settings = {
        "groupFilter": r"aws_(?{{accountid}}\d+)_(?{{role}}[a-zA-Z0-9+=,.@\-_]+)",
        "roleValuePattern": "arn:aws:iam::$${accountid}:saml-provider/OKTA,"
        "arn:aws:iam::$${accountid}:role/team-$${role}",
    }
    imported = import_okta_settings(json.dumps(settings), "corp", BASE)
    assert roles_of(imported, "aws_222233334444_A") == ["222233334444:role/team-A"]
    assert roles_of(imported, "xaws_222233334444_A") == []
    assert any("not anchored" in each for each in imported.remarks)


@pytest.mark.parametrize("text", ["", "{}", "[]", "Group Filter: ^aws$", '{"settings": 1}'])
def test_refuses_text_that_is_no_okta_app(text: str) -> None:
    with pytest.raises(BadOktaSettings):
        import_okta_settings(text, "corp", BASE)


def test_the_commands_print_a_file_that_apply_takes(
    command: Callable[..., Result], tmp_path: Path
) -> None:
    assert command("aws", "account", "add", "123456789012", "--alias", "dev").exit_code == 0
    claims = tmp_path / "claims.txt"
    claims.write_text(WHOLE, encoding="utf-16")
    result = command("roles", "import-adfs", str(claims))
    assert result.exit_code == 0
    rules = tmp_path / "roles.toml"
    rules.write_text(result.stdout)
    assert command("roles", "apply", str(rules), "--yes").exit_code == 0
    okta = command("roles", "import-okta", "-", "--group-base", BASE[0], input=json.dumps(OKTA))
    assert 'group_base = "OU=AWS,DC=corp,DC=example"' in okta.stdout
    for arguments in (("--directory", "nowhere"), ("--group-base", "nonsense")):
        refused = command("roles", "import-okta", "-", *arguments, input=json.dumps(OKTA))
        assert refused.exit_code != 0
    nothing = command("roles", "import-adfs", "-", input='=> issue(Type = "x", Value = "z");')
    assert nothing.exit_code == 1
    assert "Not taken over: rule 1" in nothing.stderr
    binary = tmp_path / "x"
    binary.write_bytes(b"\xff\x00\xfe")
    assert isinstance(command("roles", "import-okta", str(binary)).exception, BadImport)
