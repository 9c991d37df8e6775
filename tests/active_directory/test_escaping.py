"""Whatever is typed, nobody is taken for anybody else."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idp.directory.active_directory.directory import ActiveDirectory
from idp.directory.person import Person
from tests.active_directory.conftest import Open
from tests.active_directory.corp import EVERYBODY, TARGET
from tests.servers.samba import PASSWORD, Controller

pytestmark = pytest.mark.xdist_group("ad")

METACHARACTERS = "*()\\\0,+\"<>;=#/@|&!~:[]{}%$'` \t\r\n\x1b\x7f\u200b\u202e\ufeff\ud800éßİａ😀"
PIECES = (
    *("ann", "target", "CORP", "corp.test", "Ann Archer", "CN=", "DC=corp,DC=test", "OU=People"),
    *(")(", "*)(objectClass=*", ")(|(sAMAccountName=*", "\\2a", "\\00", "<GUID=", "<SID=S-1-5-32>"),
    *("(&", "(|", "(!", ":1.2.840.113556.1.4.1941:=", "${jndi:", "'; --", "\\\\", "@@"),
)
TYPED = st.lists(
    st.one_of(
        st.sampled_from(PIECES),
        st.sampled_from(METACHARACTERS),
        st.characters(max_codepoint=0x2FF),
    ),
    min_size=1,
    max_size=6,
).map("".join)
QUIETLY = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def names() -> dict[str, set[str]]:
    """All names of each account, as LDAP compares them."""
    found = {}
    for someone in EVERYBODY:
        account = someone.account
        principal = str(someone.more.get("userPrincipalName", f"{account}@corp.test"))
        forms = {account, f"{account}@corp.test", f"{account}@corp", principal}
        forms |= {f"corp\\{account}", f"corp.test\\{account}"}
        found[account] = forms
    return found


@pytest.fixture
def corp(controller: Controller, open_corp: Open) -> ActiveDirectory:
    return open_corp(controller)


def belongs_to(person: Person, typed: str, names: dict[str, set[str]]) -> bool:
    return " ".join(typed.casefold().split()) in names[person.username]


@QUIETLY
@given(typed=TYPED)
def test_a_name_signs_in_whoever_has_it_and_nobody_else(
    corp: ActiveDirectory, names: dict[str, set[str]], typed: str
) -> None:
    """Everybody here has the same password, so that the name alone decides."""
    for person in (corp.authenticate(typed, PASSWORD).person, corp.find_by_name(typed)):
        assert person is None or belongs_to(person, typed, names)


@QUIETLY
@given(typed=TYPED)
def test_no_password_is_right_but_the_right_one(corp: ActiveDirectory, typed: str) -> None:
    answer = corp.authenticate(TARGET.account, typed)
    assert answer.person is None
    assert answer.reason == "wrong_password"


@settings(QUIETLY, max_examples=40)
@given(name=TYPED, password=TYPED)
def test_no_name_and_no_password_break_out_together(
    corp: ActiveDirectory, name: str, password: str
) -> None:
    # Held to the account that is never locked out, and to names that nobody has.
    assert corp.authenticate(f"{TARGET.account}{name}", password).person is None
    assert corp.authenticate(f"{name}{TARGET.account}", password).person is None


def test_every_character_counts_wherever_it_stands_in_a_name_or_password(
    corp: ActiveDirectory, names: dict[str, set[str]]
) -> None:
    """What chance may leave out: each of them once at the beginning, inside and at the end."""
    head, tail = TARGET.account[:3], TARGET.account[3:]
    for character in [chr(code) for code in range(0x100)] + list(METACHARACTERS[-9:]):
        for typed in (
            f"{character}{head}{tail}",
            f"{head}{character}{tail}",
            head + tail + character,
        ):
            person = corp.find_by_name(typed)
            assert person is None or belongs_to(person, typed, names), repr(typed)
        for password in (character, character + PASSWORD, PASSWORD + character):
            assert corp.authenticate(TARGET.account, password).person is None, repr(password)


@QUIETLY
@given(typed=TYPED)
def test_no_identifier_but_a_persons_own_finds_anybody(corp: ActiveDirectory, typed: str) -> None:
    assert corp.find(typed) is None
