"""Groups: of every kind, nested, in loops, bounded, and held to their base."""

from __future__ import annotations

import pytest

from idp.directory.interface import DirectoryUnavailable
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


def test_groups_are_walked_as_deep_as_the_settings_say(make: MakeDirectory) -> None:
    for source in ("groupOfNames", "memberOf"):
        assert _names(make(groups_from=[source], group_depth=0), "ann") == ["inner"]
        assert _names(make(groups_from=[source], group_depth=1), "ann") == ["inner", "middle"]


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
