"""Who gets in from an LDAP directory, as whom, and why others do not."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import pytest

from idp.directory.interface import Directory
from idp.directory.ldap.client import Client
from idp.directory.ldap.connection import Answer, Control
from idp.directory.ldap.openldap import LdapDirectory
from idp.settings.directories import DirectorySettings
from tests.directory.ldap.conftest import MakeDirectory, settings_for
from tests.servers.slapd import PASSWORD, SUFFIX, Slapd


def test_implements_the_interface(corp: LdapDirectory) -> None:
    directory: Directory = corp
    assert directory.name == "corp"


@pytest.mark.parametrize("tls", ["ldaps", "starttls", "none"])
def test_a_person_comes_with_attributes_and_all_groups(make: MakeDirectory, tls: str) -> None:
    person = make(tls=tls).authenticate("ann", PASSWORD).person
    assert person is not None
    assert (person.directory, person.username) == ("corp", "ann")
    assert (person.display_name, person.email) == ("Ann Archer", "ann@example.test")
    assert person.attributes["department"] == ("Platform",)
    names = ["inner", "middle", "outer", "posix", "unique"]
    assert sorted(group.name for group in person.groups) == names
    assert f"cn=outer,ou=groups,{SUFFIX}" in {group.dn for group in person.groups}
    assert str(uuid.UUID(person.directory_id)) == person.directory_id


@pytest.mark.parametrize("name", ["ann", "ANN", " Ann ".strip(), "Ａｎｎ"])
def test_any_spelling_gives_one_person(corp: LdapDirectory, name: str) -> None:
    found = corp.authenticate(name, PASSWORD)
    assert found.person == corp.find_by_name("ann")


def test_is_found_by_the_identifier_that_never_changes(corp: LdapDirectory) -> None:
    person = corp.find_by_name("ann")
    assert person
    assert corp.find(person.directory_id) == person
    assert corp.find(str(uuid.uuid4())) is None
    assert corp.find("*") is None
    assert corp.find("") is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [("ann", "wrong_password"), ("nobody", "unknown_user"), ("twin", "ambiguous")],
)
def test_says_for_the_audit_row_why_nobody_got_in(
    corp: LdapDirectory, name: str, reason: str
) -> None:
    answer = corp.authenticate(name, PASSWORD if name == "twin" else "wrong")
    assert (answer.person, answer.reason) == (None, reason)


def test_a_name_of_two_entries_signs_neither_in(corp: LdapDirectory) -> None:
    assert corp.authenticate("twin", PASSWORD).person is None
    assert corp.find_by_name("twin") is None


def test_password_policies_are_told_apart(slapd: Slapd, corp: LdapDirectory) -> None:
    time.sleep(2.1)  # the passwords of "short" and "grace" last for one second
    reasons = {
        name: corp.authenticate(name, PASSWORD).reason
        for name in ("short", "must", "gone", "grace")
    }
    assert reasons == {"short": "expired", "must": "must_change", "gone": "locked", "grace": ""}


def test_guesses_lock_the_account_in_the_directory_and_the_lock_ends(
    slapd: Slapd, corp: LdapDirectory
) -> None:
    slapd.add_person("guessed")
    for _ in range(3):
        assert corp.authenticate("guessed", "wrong").reason == "wrong_password"
    assert corp.authenticate("guessed", PASSWORD).reason == "locked"
    assert corp.find_by_name("guessed"), "strangers who guess must not end sessions"
    time.sleep(2.2)
    assert corp.authenticate("guessed", PASSWORD).person


def test_somebody_locked_for_good_is_not_found(corp: LdapDirectory) -> None:
    assert corp.find_by_name("gone") is None


def test_names_with_metacharacters_are_names_like_others(corp: LdapDirectory) -> None:
    for name in ("o*dd(x)", "comma"):
        person = corp.authenticate(name, PASSWORD).person
        assert person
        assert person.username == name


@pytest.mark.parametrize("name", ["*", "a*", "ann)(uid=*", "*)(objectClass=*", "ann\\00", "\\61nn"])
def test_filters_can_not_be_broken_out_of(corp: LdapDirectory, name: str) -> None:
    assert corp.authenticate(name, PASSWORD).reason == "unknown_user"


@pytest.mark.parametrize("password", ["", "\0", "a\0b", "\ud800", "x" * 100_000])
def test_odd_passwords_are_wrong_ones(corp: LdapDirectory, password: str) -> None:
    assert corp.authenticate("ann", password).reason == "wrong_password"


@pytest.mark.parametrize("name", ["", " ", "\0", "a\nb", "x" * 10_000, "\ud800"])
def test_odd_names_are_nobodys(corp: LdapDirectory, name: str) -> None:
    assert corp.authenticate(name, PASSWORD).reason == "unknown_user"


def test_a_password_in_any_script_is_sent_as_typed(slapd: Slapd, corp: LdapDirectory) -> None:
    secret = "pässwörd 密码 🔑 emoji of this year 🫩"  # SASLprep of ldap3 would refuse the last one
    slapd.add_person("script", password=secret.encode())
    assert corp.authenticate("script", secret).person
    assert not corp.authenticate("script", secret[:-1]).person


def test_a_realm_is_part_of_the_spelling(make: MakeDirectory) -> None:
    corp = make(realms=["corp.example", "CORP"])
    ann = corp.find_by_name("ann")
    for name in ("ann@corp.example", "CORP\\ann", "corp\\ANN", "ann@CORP"):
        assert corp.authenticate(name, PASSWORD).person == ann
    assert corp.authenticate("ann@other.example", PASSWORD).reason == "unknown_user"
    assert corp.authenticate("OTHER\\ann", PASSWORD).reason == "unknown_user"


def test_an_address_signs_in_where_the_settings_say_so(
    make: MakeDirectory, corp: LdapDirectory
) -> None:
    by_mail = make(login_attributes=["uid", "mail"])
    answer = by_mail.authenticate("Archer@example.test", PASSWORD)
    assert answer.person
    assert answer.person.username == "ann"
    assert corp.authenticate("archer@example.test", PASSWORD).reason == "unknown_user"


def test_who_does_not_match_the_filter_is_nobody(make: MakeDirectory) -> None:
    narrow = make(user_filter="(&(objectClass=inetOrgPerson)(departmentNumber=Platform))")
    assert narrow.authenticate("ann", PASSWORD).person
    assert narrow.authenticate("bob", PASSWORD).reason == "unknown_user"


def test_an_entry_without_what_a_person_needs_signs_nobody_in(make: MakeDirectory) -> None:
    for changed in ({"id_attribute": "employeeNumber"}, {"username_attribute": "employeeNumber"}):
        directory = make(**changed)
        assert directory.authenticate("ann", PASSWORD).reason == "unusable_entry"
        assert directory.find_by_name("ann") is None


def test_own_attributes_are_added_to_the_presets(make: MakeDirectory) -> None:
    person = make(attributes={"everything": "mail"}).find_by_name("ann")
    assert person
    assert person.attributes["everything"] == ("ann@example.test", "archer@example.test")
    assert person.attributes["department"] == ("Platform",)


class _CountingClient(Client):
    """The real one, which notes whom it was asked to bind as."""

    def __init__(self, settings: DirectorySettings) -> None:
        super().__init__(settings)
        self.bound_as: list[str] = []

    def check_password(self, dn: str, password: bytes, controls: Sequence[Control] = ()) -> Answer:
        self.bound_as.append(dn)
        return super().check_password(dn, password, controls)


def test_all_names_of_somebody_lead_to_one_counter_before_a_password_is_tried(
    slapd: Slapd, tmp_path: Path
) -> None:
    settings = settings_for(slapd, folder=tmp_path, login_attributes=["uid", "mail"])
    client = _CountingClient(settings)
    directory = LdapDirectory(settings, client)
    ann = directory.find_by_name("ann")
    assert ann
    asked: list[str] = []

    def never(directory_id: str) -> bool:
        asked.append(directory_id)
        return False

    for name in ("ann", "ann@example.test", "Archer@example.test"):
        assert directory.authenticate(name, PASSWORD, never).reason == "throttled"
    assert directory.authenticate("nobody", PASSWORD, never).reason == "unknown_user"
    assert asked == [ann.directory_id] * 3 + [""]
    assert len(client.bound_as) == 4
    assert not any("uid=ann" in dn for dn in client.bound_as), "somebody's own bind would count"
    directory.close()


@pytest.mark.parametrize("name", ["patient", "nobody", "twin", "*", "\\"])
def test_every_attempt_costs_one_search_and_one_bind_whoever_is_asked_for(
    slapd: Slapd, tmp_path: Path, name: str
) -> None:
    settings = settings_for(slapd, folder=tmp_path)
    client = _CountingClient(settings)
    directory = LdapDirectory(settings, client)
    assert directory.authenticate(name, "wrong").person is None
    assert len(client.bound_as) == 1
    assert client.bound_as[0].endswith(SUFFIX)
    directory.close()
