"""People of a real Active Directory domain."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import ldap3
import pytest

from idp.directory.active_directory.directory import ActiveDirectory
from idp.directory.interface import DirectoryUnavailable, PersonUnavailable
from idp.directory.kerberos.ticket import Ticket
from idp.directory.ldap.search import Entry
from idp.directory.person import Person
from tests.active_directory.conftest import Open
from tests.active_directory.corp import (
    ANN,
    BOB,
    DISABLED,
    DISABLED_ONE,
    DORA,
    ENDED,
    EXPIRED,
    LOCKED,
    MUST_CHANGE,
    NO_HOURS,
    OTHER_PC,
    PEOPLE,
    Someone,
    add_group,
    add_person,
)
from tests.servers.samba import PASSWORD, Controller

pytestmark = pytest.mark.xdist_group("ad")


@pytest.fixture
def newcomer(controller: Controller) -> Iterator[Someone]:
    """Somebody for one test alone, to do anything to."""
    someone = Someone(f"new{uuid.uuid4().hex[:8]}", f"Newcomer {uuid.uuid4().hex}")
    with controller.administrator() as connection:
        add_person(connection, someone)
    yield someone
    with controller.administrator() as connection:
        connection.delete(someone.dn)


def signed_in(corp: ActiveDirectory, username: str, password: str = PASSWORD) -> Person:
    answer = corp.authenticate(username, password)
    assert answer.person is not None, answer.reason
    return answer.person


def names(person: Person) -> set[str]:
    return {group.name for group in person.groups}


@pytest.mark.parametrize(
    "username",
    ["ann", "ANN", "CORP\\ann", "corp.test\\ann", "ann@corp.test", "Ann@CORP.TEST", "ann@CORP"],
)
def test_every_name_of_an_account_signs_in(corp: ActiveDirectory, username: str) -> None:
    ann = signed_in(corp, username)
    assert (ann.directory, ann.username, ann.display_name) == ("corp", "ann", "Ann Archer")
    assert ann.email == "ann@corp.example"
    assert ann.attributes["department"] == ("Platform",)


def test_a_principal_name_of_ones_own_and_the_implicit_one(corp: ActiveDirectory) -> None:
    assert signed_in(corp, "dora.dent@corp.test").username == "ddent"
    assert signed_in(corp, "ddent@corp.test").username == "ddent"
    assert signed_in(corp, "ddent").username == "ddent"


@pytest.mark.parametrize(
    ("username", "password", "reason"),
    [
        ("ann", "wrong", "wrong_password"),
        ("nobody", PASSWORD, "unknown_user"),
        ("OTHER\\ann", PASSWORD, "unknown_user"),
        ("ann@other.test", PASSWORD, "unknown_user"),
        ("Ann Archer", PASSWORD, "unknown_user"),
        (ANN.dn, PASSWORD, "unknown_user"),
        ("*", PASSWORD, "unknown_user"),
        ("DC1$", PASSWORD, "unknown_user"),
        (DISABLED_ONE.account, PASSWORD, "disabled"),
        (MUST_CHANGE.account, PASSWORD, "must_change"),
        (EXPIRED.account, PASSWORD, "expired"),
        (ENDED.account, PASSWORD, "account_expired"),
        (NO_HOURS.account, PASSWORD, "logon_hours"),
        (OTHER_PC.account, PASSWORD, "workstation"),
        # To whoever does not know the password, all of them look the same.
        (DISABLED_ONE.account, "wrong", "wrong_password"),
        (EXPIRED.account, "wrong", "wrong_password"),
        ("ann", "", "wrong_password"),
        ("ann", "\ud800", "wrong_password"),
        ("ann", "x\0", "wrong_password"),
    ],
)
def test_refusals_are_told_apart_for_the_audit_trail(
    corp: ActiveDirectory, username: str, password: str, reason: str
) -> None:
    answer = corp.authenticate(username, password)
    assert (answer.person, answer.reason) == (None, reason)


@pytest.mark.parametrize("name", ["dora.dent@corp.test", "nobody@corp.test"])
def test_who_may_not_try_is_not_asked_for_a_password(
    corp: ActiveDirectory, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """All names of an account lead to its identifier; the domain's lock-out sees no more binds."""
    asked: list[str] = []
    bound: list[str] = []
    check = corp.client.check_password

    def noted(dn: str, password: bytes, *more: Any) -> Any:
        bound.append(dn)
        return check(dn, password, *more)

    monkeypatch.setattr(corp.client, "check_password", noted)

    def never(directory_id: str) -> bool:
        asked.append(directory_id)
        return False

    answer = corp.authenticate(name, PASSWORD, never)
    assert answer.person is None
    ddent = corp.find_by_name("ddent")
    assert ddent
    known = name.startswith("dora")
    assert asked == [ddent.directory_id if known else ""]
    assert answer.reason == ("throttled" if known else "unknown_user")
    (dn,) = bound
    assert dn != DORA.dn


def test_an_account_is_locked_after_three_wrong_passwords(
    corp: ActiveDirectory, controller: Controller
) -> None:
    before = signed_in(corp, LOCKED.account)
    for _ in range(3):
        assert corp.authenticate(LOCKED.account, "wrong").reason == "wrong_password"
    assert corp.authenticate(LOCKED.account, PASSWORD).reason == "locked"
    assert corp.find(before.directory_id) is None
    controller.change(LOCKED.dn, lockoutTime="0")
    assert signed_in(corp, LOCKED.account).username == LOCKED.account


def test_an_empty_password_never_reaches_a_controller(
    controller: Controller, open_corp: Open
) -> None:
    corp = open_corp(controller)
    with controller.frozen():  # whoever asked would have to wait, and be told that it is down
        assert corp.authenticate("ann", "").reason == "wrong_password"


@pytest.mark.parametrize("way", ["token", "chain"])
def test_nested_groups_and_the_primary_group(
    controller: Controller, open_corp: Open, way: str
) -> None:
    corp = open_corp(controller, nested_groups=way)
    ann, bob, dora = (signed_in(corp, who.account) for who in (ANN, BOB, DORA))
    assert {"AWS-inner", "AWS-middle", "AWS-outer", "Domain Users"} <= names(ann)
    assert {"AWS-middle", "AWS-outer", "R&D (Berlin) all"} <= names(bob)
    assert "AWS-inner" not in names(bob)
    assert "AWS-primary" in names(dora)
    assert "AWS-primary" not in names(ann)
    assert ("mailing list" in names(ann)) == (way == "chain")
    inner = next(group for group in ann.groups if group.name == "AWS-inner")
    assert inner.dn == "CN=AWS-inner,OU=Groups,DC=corp,DC=test"
    assert inner.sid
    assert inner.sid.startswith("S-1-5-21-")


def test_groups_in_the_primary_group_count_in_both_ways(
    controller: Controller, open_corp: Open
) -> None:
    with controller.administrator() as connection:
        above = add_group(
            connection, f"above {uuid.uuid4().hex[:8]}", "CN=AWS-primary,OU=Groups,DC=corp,DC=test"
        )
    for way in ("token", "chain"):
        dora = signed_in(open_corp(controller, nested_groups=way), DORA.account)
        assert above in {group.dn for group in dora.groups}


def test_groups_that_contain_each_other_come_to_an_end(
    controller: Controller, open_corp: Open, newcomer: Someone
) -> None:
    with controller.administrator() as connection:
        one = add_group(connection, f"one {newcomer.account}", newcomer.dn)
        other = add_group(connection, f"other {newcomer.account}", one)
        connection.modify(one, {"member": [(ldap3.MODIFY_ADD, [other])]})
    for way in ("token", "chain"):
        person = signed_in(open_corp(controller, nested_groups=way), newcomer.account)
        assert {one, other} <= {group.dn for group in person.groups}


@pytest.mark.parametrize("way", ["token", "chain"])
def test_a_group_outside_the_base_counts_by_its_sid_alone(
    controller: Controller, open_corp: Open, way: str
) -> None:
    """So that a rule that denies by SID holds, wherever the group lies."""
    base = "OU=Groups,DC=corp,DC=test"
    ann = signed_in(open_corp(controller, group_base_dn=base, nested_groups=way), "ann")
    assert {"AWS-inner", "AWS-outer"} <= names(ann)
    assert "Domain Users" not in names(ann)
    outside = [group for group in ann.groups if group.dn is None]
    assert {group.name for group in outside} == {group.sid for group in outside}
    assert any(group.name.endswith("-513") for group in outside)


@pytest.mark.parametrize("way", ["token", "chain"])
def test_who_is_moved_half_way_does_not_come_without_groups(
    controller: Controller, open_corp: Open, newcomer: Someone, way: str
) -> None:
    """Asked for by the DN that the entry had, "in chain" finds no group at all."""
    corp = open_corp(controller, nested_groups=way)
    with controller.administrator() as connection:
        add_group(connection, f"moved {newcomer.account}", newcomer.dn)
        entry, _ = corp._named(newcomer.account)
        assert entry
        connection.modify_dn(newcomer.dn, f"CN=Moved {newcomer.account}")
    try:
        with pytest.raises(PersonUnavailable, match="moved while it was read") as refusal:
            corp._admitted(entry)
        assert refusal.value.word == "entry_moved"
        assert f"moved {newcomer.account}" in names(signed_in(corp, newcomer.account))
    finally:
        with controller.administrator() as connection:
            connection.modify_dn(f"CN=Moved {newcomer.account},{PEOPLE}", newcomer.dn.split(",")[0])


def test_a_chain_asked_by_a_dn_that_is_gone_is_no_answer(corp: ActiveDirectory) -> None:
    gone = Entry(f"CN=Gone,{PEOPLE}", {"objectsid": (b"x",)})
    reader = replace(corp._groups, way="chain")
    with pytest.raises(PersonUnavailable):
        corp.client.ask(lambda connection: reader._above(connection, gone))


def test_whose_groups_are_too_many_is_in_no_preview(
    controller: Controller, open_corp: Open
) -> None:
    corp = open_corp(controller, most_groups=4, user_base_dn=PEOPLE)
    left_out: dict[str, str] = {}
    found = {person.username for person in corp.people(left_out.__setitem__)}
    assert left_out[ANN.dn] == "too_many_groups"
    assert DISABLED_ONE.dn not in left_out
    assert "target" in found
    assert "ann" not in found
    seen = corp.see("ann")
    assert seen
    assert (seen.disabled, seen.reason) == (True, "too_many_groups")
    assert {"AWS-inner", "AWS-outer"} <= {each.group.name for each in seen.groups}


def test_too_many_groups_are_no_groups(controller: Controller, open_corp: Open) -> None:
    for way in ("token", "chain"):
        with pytest.raises(DirectoryUnavailable, match="more groups than are allowed"):
            open_corp(controller, nested_groups=way, most_groups=2).authenticate("ann", PASSWORD)


def test_the_identifier_stays_when_everything_else_changes(
    corp: ActiveDirectory, controller: Controller, newcomer: Someone
) -> None:
    before = signed_in(corp, newcomer.account)
    assert uuid.UUID(before.directory_id)
    with controller.administrator() as connection:
        connection.modify(
            newcomer.dn, {"sAMAccountName": [(ldap3.MODIFY_REPLACE, ["r-" + newcomer.account])]}
        )
        connection.modify_dn(newcomer.dn, f"CN=Renamed {newcomer.account}")
    try:
        after = corp.find(before.directory_id)
        assert after is not None
        assert after.username == f"r-{newcomer.account}"
        assert after.directory_id == before.directory_id
    finally:
        with controller.administrator() as connection:
            connection.modify_dn(
                f"CN=Renamed {newcomer.account},{PEOPLE}", newcomer.dn.split(",")[0]
            )


@pytest.mark.parametrize("directory_id", ["", "*", "ann", "0" * 32, str(uuid.UUID(int=7))])
def test_nobody_is_found_by_what_is_no_identifier(corp: ActiveDirectory, directory_id: str) -> None:
    assert corp.find(directory_id) is None


Change = Callable[[Controller, Someone], None]


@pytest.mark.parametrize(
    "change",
    [
        lambda controller, who: controller.change(who.dn, userAccountControl=str(DISABLED)),
        lambda controller, who: controller.change(who.dn, accountExpires="132000000000000000"),
        lambda controller, who: controller.change(who.dn, pwdLastSet="0"),
        lambda controller, who: controller.expire_password(who.dn),
        lambda controller, who: controller.change(who.dn, logonHours=b"\0" * 21),
    ],
    ids=["disabled", "account expired", "must change", "password expired", "no hours"],
)
def test_whoever_may_not_sign_in_any_more_is_not_found(
    corp: ActiveDirectory, controller: Controller, newcomer: Someone, change: Change
) -> None:
    person = signed_in(corp, newcomer.account)
    assert corp.find(person.directory_id) == person
    change(controller, newcomer)
    assert corp.find(person.directory_id) is None
    assert corp.find_by_name(newcomer.account) is None
    sid = None
    assert corp.authenticate_ticket(Ticket(newcomer.account, "CORP.TEST", sid)).person is None


def test_an_account_that_is_gone_is_not_found(
    corp: ActiveDirectory, controller: Controller
) -> None:
    someone = Someone("leaver", "Leaver")
    with controller.administrator() as connection:
        add_person(connection, someone)
    person = signed_in(corp, "leaver")
    with controller.administrator() as connection:
        connection.delete(someone.dn)
    assert corp.find(person.directory_id) is None


def test_groups_are_as_fresh_as_the_directory(
    corp: ActiveDirectory, controller: Controller, newcomer: Someone
) -> None:
    person = signed_in(corp, newcomer.account)
    with controller.administrator() as connection:
        group = add_group(connection, f"g {newcomer.account}", newcomer.dn)
    found = corp.find(person.directory_id)
    assert found is not None
    assert group in {each.dn for each in found.groups}
    with controller.administrator() as connection:
        connection.delete(group)
    found = corp.find(person.directory_id)
    assert found is not None
    assert found.groups == person.groups


def test_two_accounts_that_share_a_name_are_nobody(
    corp: ActiveDirectory, controller: Controller, newcomer: Someone
) -> None:
    """The account name of one is the principal name of the other, as old controllers let it be."""
    rival = Someone("rival", "Rival")
    controller.change(newcomer.dn, userPrincipalName="else@corp.test")
    with controller.administrator() as connection:
        add_person(connection, rival)
    controller.force(rival.dn, "userPrincipalName", f"{newcomer.account}@corp.test")
    try:
        name = f"{newcomer.account}@corp.test"
        assert corp.authenticate(name, PASSWORD).reason == "ambiguous"
        ticket = Ticket(newcomer.account, "CORP.TEST")
        assert corp.authenticate_ticket(ticket).reason == "ambiguous"
    finally:
        with controller.administrator() as connection:
            connection.delete(rival.dn)


def test_a_ticket_leads_to_the_account_that_the_controller_signed(corp: ActiveDirectory) -> None:
    found = corp.authenticate_ticket(Ticket("ANN", "CORP.TEST"))
    assert found.person == signed_in(corp, "ann")
    for name in ("dora.dent", "ddent", "dora.dent@corp.test"):
        found = corp.authenticate_ticket(Ticket(name, "CORP.TEST"))
        assert found.person
        assert found.person.username == "ddent"
    stranger = Ticket("ann", "CORP.TEST", "S-1-5-21-1-2-3-1104")
    assert corp.authenticate_ticket(stranger).reason == "kerberos_other_account"
    assert corp.authenticate_ticket(Ticket("DC1$", "CORP.TEST")).reason == "unknown_user"


def test_the_global_catalogue_signs_in_too(controller: Controller, open_corp: Open) -> None:
    corp = open_corp(controller, global_catalogue=True)
    assert {"AWS-inner", "AWS-outer"} <= names(signed_in(corp, "ann@corp.test"))
    assert corp.authenticate("ann@corp.test", "wrong").reason == "wrong_password"


def test_what_the_directory_says_is_the_same_by_every_way(corp: ActiveDirectory) -> None:
    ann = signed_in(corp, "ann")
    assert corp.find(ann.directory_id) == ann == corp.find_by_name("CORP\\ann")
    assert replace(ann) == ann
