"""Groups: of every kind, nested, in loops, bounded, and held to their base."""

from __future__ import annotations

import pytest

from idp.directory.interface import DirectoryUnavailable, PersonUnavailable
from idp.directory.ldap.openldap import LdapDirectory
from tests.directory.ldap.conftest import MakeDirectory
from tests.servers.slapd import GROUPS, PASSWORD, PEOPLE, Slapd


def _names(directory: LdapDirectory, username: str) -> list[str]:
    person = directory.find_by_name(username)
    assert person
    return sorted(group.name for group in person.groups)


def test_each_kind_of_group_is_read_only_if_asked_for(make: MakeDirectory) -> None:
    assert _names(make(groups_from=["groupOfUniqueNames"]), "ann") == ["unique"]
    assert _names(make(groups_from=["posixGroup"]), "ann") == ["posix"]
    assert _names(make(groups_from=["groupOfNames"]), "ann") == ["inner", "middle", "outer"]
    assert _names(make(groups_from=["memberOf"]), "ann") == ["inner", "middle", "outer"]


@pytest.mark.parametrize("source", ["groupOfNames", "memberOf"])
def test_nobody_comes_with_some_of_groups_that_are_nested_too_deep(
    make: MakeDirectory, source: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A rule that denies the outermost one would else be escaped by it."""
    assert _names(make(groups_from=[source], group_depth=0), "ann") == ["inner"]
    assert _names(make(groups_from=[source], group_depth=2), "ann") == ["inner", "middle", "outer"]
    shallow = make(groups_from=[source], group_depth=1)
    with pytest.raises(PersonUnavailable, match="nested deeper") as refusal:
        shallow.authenticate("ann", PASSWORD)
    assert refusal.value.word == "groups_too_deep"
    assert "the groups of somebody can't be known" in caplog.messages
    with pytest.raises(PersonUnavailable):
        shallow.find_by_name("ann")
    everyone = {person.username for person in shallow.people()}
    assert "ann" not in everyone, "who can't sign in is in no preview"
    assert "comma" in everyone


@pytest.mark.parametrize(
    ("limit", "reason"), [({"group_depth": 1}, "groups_too_deep"), ({"most_groups": 2}, "too_many")]
)
def test_what_keeps_somebody_out_is_shown_with_all_their_groups(
    make: MakeDirectory, limit: dict[str, int], reason: str
) -> None:
    seen = make(groups_from=["groupOfNames"], **limit).see("ann")
    assert seen
    assert seen.disabled
    assert seen.reason.startswith(reason)
    assert {each.group.name for each in seen.groups} == {"inner", "middle", "outer"}


def test_check_says_that_somebodys_groups_are_beyond_the_limit(make: MakeDirectory) -> None:
    limited = make(user_filter="(uid=ann)", most_groups=2)
    *_, groups = limited.check()
    assert (groups.step, groups.good) == ("groups", False)
    assert "ann can't sign in: it names more groups than are allowed" in groups.message
    assert "idp directory show ann" in groups.advice


def test_groups_on_another_server_let_nobody_in_without_them(
    slapd: Slapd, make: MakeDirectory
) -> None:
    """A continuation reference says that there is more; what, only that server knows."""
    elsewhere = f"ou=elsewhere,{GROUPS}"
    with slapd.admin() as admin:
        classes = ["referral", "extensibleObject"]
        admin.add(elsewhere, classes, {"ou": "elsewhere", "ref": "ldap://127.0.0.1:1/ou=x"})
    try:
        for source in ("groupOfNames", "posixGroup"):
            directory = make(groups_from=[source], group_base_dn=GROUPS)
            with pytest.raises(DirectoryUnavailable, match="no usable answer"):
                directory.authenticate("ann", PASSWORD)
            with pytest.raises(DirectoryUnavailable):
                list(directory.people())
            *_, groups = directory.check()
            assert (groups.step, groups.good) == ("groups", False)
            assert "lies at ldap://127.0.0.1:1/ou=x" in groups.message
            assert "group_base_dn" in groups.advice
    finally:
        with slapd.admin() as admin:
            admin.delete(elsewhere, controls=[("2.16.840.1.113730.3.4.2", True, None)])


def test_who_is_renamed_half_way_does_not_come_without_groups(
    slapd: Slapd, corp: LdapDirectory
) -> None:
    """The groups are asked for by the DN; by the old one, none would have that member."""
    mover = slapd.add_person("mover")
    slapd.add_group("movers", mover)
    entry, _ = corp._entry_named("mover")
    assert entry
    with slapd.admin() as admin:
        admin.modify_dn(mover, "uid=moved")
    with pytest.raises(PersonUnavailable, match="moved while it was read"):
        corp._person(entry)
    assert _names(corp, "moved") == ["movers"]


def test_a_group_that_memberof_names_and_nobody_may_read_is_in_the_log(
    slapd: Slapd, make: MakeDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    directory = make(groups_from=["memberOf"])
    group = slapd.add_group("vanishing", slapd.add_person("guest"))
    entry, _ = directory._entry_named("guest")
    assert entry
    slapd.delete(group)
    assert directory._person(entry).groups == ()
    assert "a group that memberOf names can't be read" in caplog.messages


def test_the_primary_group_of_a_posix_account_counts(slapd: Slapd, corp: LdapDirectory) -> None:
    slapd.add_person(
        "unix", classes=["posixAccount"], uidNumber="1", gidNumber="7002", homeDirectory="/"
    )
    slapd.add_group("primary", kind="posixGroup", gidNumber="7002")
    assert _names(corp, "unix") == ["primary"]


def test_the_way_by_which_a_group_came_is_told(corp: LdapDirectory) -> None:
    seen = corp.see("ann")
    assert seen
    paths = {each.group.name: [via.name for via in each.path] for each in seen.groups}
    assert paths["inner"] == []
    assert paths["middle"] == ["inner"]
    assert paths["outer"] == ["inner", "middle"]


@pytest.mark.parametrize("source", ["groupOfNames", "memberOf"])
def test_a_group_outside_the_base_counts_for_nothing(
    slapd: Slapd, make: MakeDirectory, source: str
) -> None:
    """Nobody who may make groups elsewhere makes himself an administrator."""
    person = slapd.add_person(f"climber-{source}")
    slapd.add_group(f"admins-{source}", person, base=PEOPLE)
    directory = make(groups_from=[source], group_base_dn=GROUPS)
    assert _names(directory, f"climber-{source}") == []


def test_more_groups_than_allowed_let_nobody_in_with_some_of_them(make: MakeDirectory) -> None:
    with pytest.raises(DirectoryUnavailable):
        make(most_groups=4).authenticate("ann", PASSWORD)


def test_many_groups_come_page_by_page(slapd: Slapd, make: MakeDirectory) -> None:
    person = slapd.add_person("joiner")
    for number in range(25):
        slapd.add_group(f"many{number:02}", person)
    assert len(_names(make(page_size=10), "joiner")) == 25


def test_everyone_comes_with_the_groups_that_a_sign_in_finds(make: MakeDirectory) -> None:
    for sources in (["groupOfNames", "groupOfUniqueNames", "posixGroup"], ["memberOf"]):
        directory = make(groups_from=sources, page_size=10)
        everyone = {person.username: person for person in directory.people()}
        assert {"ann", "bob", "comma"} <= everyone.keys()
        assert "gone" not in everyone
        for name in ("ann", "bob", "comma"):
            alone = directory.find_by_name(name)
            assert alone
            assert set(everyone[name].groups) == set(alone.groups)
            assert everyone[name].directory_id == alone.directory_id
