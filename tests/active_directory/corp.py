"""The people and groups of corp.test, as a company has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import ldap3

from tests.servers.samba import NETBIOS, PASSWORD, SUFFIX, Administrator, Controller, coded

PEOPLE = f"OU=People,{SUFFIX}"
GROUPS = f"OU=Groups,{SUFFIX}"
READER = "idp-reader"
NORMAL, DISABLED = 0x200, 0x202
DOMAIN_LOCAL, GLOBAL, UNIVERSAL, DISTRIBUTION = -2147483644, -2147483646, -2147483640, 2


@dataclass(frozen=True)
class Someone:
    """An entry to be: its user name, its common name (in a DN's form) and what differs."""

    account: str
    cn: str
    control: int = NORMAL
    must_change: bool = False
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def dn(self) -> str:
        return f"CN={self.cn},{PEOPLE}"


ANN = Someone("ann", "Ann Archer", more={"department": "Platform", "title": "Engineer"})
BOB = Someone("bob", "Baker\\, Bob (x)")
# Signs in as dora.dent@corp.test, and her account is called otherwise.
DORA = Someone("ddent", "Dora Dent", more={"userPrincipalName": "dora.dent@corp.test"})
DISABLED_ONE = Someone("dis", "Disabled Dan", control=DISABLED)
LOCKED = Someone("lock", "Locked Lou")
MUST_CHANGE = Someone("must", "Must Mia", must_change=True)
EXPIRED = Someone("old", "Old Otto")
ENDED = Someone("ended", "Ended Eve", more={"accountExpires": "132000000000000000"})
NO_HOURS = Someone("hours", "Hours Hal", more={"logonHours": b"\0" * 21})
OTHER_PC = Someone("station", "Station Sue", more={"userWorkstations": "SOMEPC"})
# Never locked out: for guessing at.
TARGET = Someone("target", "Target Tom")
SERVICE = Someone(READER, "IdP reader")
EVERYBODY = (
    *(ANN, BOB, DORA, DISABLED_ONE, LOCKED, MUST_CHANGE, EXPIRED, ENDED, NO_HOURS, OTHER_PC),
    *(TARGET, SERVICE),
)


def people_and_groups(controller: Controller) -> None:
    """Write all of them; ann is in AWS-inner, that in AWS-middle, that in AWS-outer."""
    policy = ["--complexity=off", "--min-pwd-age=0", "--min-pwd-length=6", "--history-length=0"]
    policy += ["--account-lockout-threshold=3", "--account-lockout-duration=30"]
    controller.tool("domain", "passwordsettings", "set", *policy, "--max-pwd-age=42")
    with controller.administrator() as connection:
        for unit in (PEOPLE, GROUPS):
            connection.add(unit, "organizationalUnit")
        for someone in EVERYBODY:
            add_person(connection, someone)
        inner = add_group(connection, "AWS-inner", ANN.dn)
        middle = add_group(connection, "AWS-middle", inner, BOB.dn, kind=UNIVERSAL)
        add_group(connection, "AWS-outer", middle, kind=DOMAIN_LOCAL)
        add_group(connection, "mailing list", inner, kind=DISTRIBUTION)
        add_group(connection, "R&D (Berlin), *all*".replace(",", "\\,"), BOB.dn)
        make_primary(connection, add_group(connection, "AWS-primary", DORA.dn), DORA.dn)
        _never_lock_out(connection, TARGET.dn)
    controller.expire_password(EXPIRED.dn)


def add_person(connection: Administrator, someone: Someone) -> str:
    """Add an account with the common password; gives its DN."""
    attributes = {
        "sAMAccountName": someone.account,
        "userPrincipalName": f"{someone.account}@corp.test",
        "mail": f"{someone.account}@corp.example",
        "displayName": someone.cn.replace("\\", ""),
        "givenName": someone.account.title(),
        "sn": "Test",
        "unicodePwd": coded(PASSWORD),
        "userAccountControl": str(someone.control),
    }
    connection.add(someone.dn, "user", attributes | someone.more)
    if someone.must_change:
        connection.modify(someone.dn, {"pwdLastSet": [(ldap3.MODIFY_REPLACE, ["0"])]})
    return someone.dn


def add_group(connection: Administrator, cn: str, *members: str, kind: int = GLOBAL) -> str:
    """Add a group; gives its DN."""
    dn = f"CN={cn},{GROUPS}"
    account = cn.replace("\\", "").replace(",", "").replace("*", "")
    attributes = {"sAMAccountName": account, "groupType": str(kind), "member": list(members)}
    connection.add(dn, "group", attributes)
    return dn


def make_primary(connection: Administrator, group: str, person: str) -> None:
    """Make a group the primary one of its member, who then vanishes from its members."""
    connection.search(group, "(objectClass=*)", ldap3.BASE, attributes=["objectSid"])
    sid: bytes = connection.response[0]["raw_attributes"]["objectSid"][0]
    number = int.from_bytes(sid[-4:], "little")
    connection.modify(person, {"primaryGroupID": [(ldap3.MODIFY_REPLACE, [str(number)])]})


def _never_lock_out(connection: Administrator, dn: str) -> None:
    settings = {
        "msDS-PasswordSettingsPrecedence": "1",
        "msDS-PasswordReversibleEncryptionEnabled": "FALSE",
        "msDS-PasswordHistoryLength": "0",
        "msDS-PasswordComplexityEnabled": "FALSE",
        "msDS-MinimumPasswordLength": "1",
        "msDS-MinimumPasswordAge": "0",
        "msDS-MaximumPasswordAge": "-9223372036854775808",
        "msDS-LockoutThreshold": "0",
        "msDS-LockoutObservationWindow": "-600000000",
        "msDS-LockoutDuration": "-600000000",
        "msDS-PSOAppliesTo": dn,
    }
    container = f"CN=Password Settings Container,CN=System,{SUFFIX}"
    connection.add(f"CN=never locked out,{container}", "msDS-PasswordSettings", settings)


def down_level(account: str) -> str:
    """The name with its domain, as Windows showed it before there were UPNs."""
    return f"{NETBIOS}\\{account}"
