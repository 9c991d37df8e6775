"""Any name and any password against a real server: no answer ever belongs to anybody else."""

from __future__ import annotations

import unicodedata

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idp.directory.ldap.openldap import LdapDirectory
from idp.directory.ldap.search import any_of, equals, find
from idp.directory.usernames import username_key
from tests.servers.slapd import PASSWORD, PEOPLE, SUFFIX

# Every printable ASCII character, every control character, and what filters and DNs live of.
_ODD = "".join(map(chr, range(0x100))) + "\u2028\u200b\u00ad\ufeffıİſKÅ\U0001f511"
_PIECES = st.sampled_from(
    [
        *("ann", "bob", "*", "(", ")", "\\", "\\2a", ")(", "|", "&", "uid=", ",", f",{PEOPLE}"),
        *("\0", "#", "+", '"', "<", ">", ";", "=", " ", "objectClass=*", "\\00", "@", "corp\\"),
    ]
)
_NAMES = st.one_of(
    st.text(st.sampled_from(_ODD), max_size=12),
    st.lists(_PIECES, max_size=6).map("".join),
    st.text(max_size=20),
)
_QUICK = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@_QUICK
@given(name=_NAMES)
def test_no_name_signs_in_as_somebody_else(corp: LdapDirectory, name: str) -> None:
    person = corp.authenticate(name, PASSWORD).person
    if person is not None:
        assert username_key(person.username) == username_key(unicodedata.normalize("NFC", name))


def test_every_character_counts_wherever_it_stands_in_a_name_or_password(
    corp: LdapDirectory,
) -> None:
    """What chance may leave out: each of them once at the beginning, inside and at the end."""
    for character in _ODD:
        for name in (f"{character}ann", f"a{character}nn", f"ann{character}"):
            person = corp.find_by_name(name)
            if person is not None:
                typed = unicodedata.normalize("NFC", name)
                assert username_key(person.username) == username_key(typed), repr(name)
        for password in (character, f"{character}{PASSWORD}", f"{PASSWORD}{character}"):
            assert corp.authenticate("patient", password).person is None, repr(password)


@_QUICK
@given(password=_NAMES)
def test_no_password_but_the_right_one_opens(corp: LdapDirectory, password: str) -> None:
    answer = corp.authenticate("patient", password)
    assert answer.person is None, repr(password)
    assert answer.reason == "wrong_password"


@_QUICK
@given(value=st.one_of(_NAMES, st.binary(max_size=12)))
def test_a_value_stays_a_value_in_a_filter(corp: LdapDirectory, value: str | bytes) -> None:
    if isinstance(value, str):
        value = value.encode("utf-8", "replace").decode()
    filter_ = any_of([equals("uid", "ann"), equals("cn", value)])
    found = corp.client.ask(lambda c: find(c, SUFFIX, filter_, ["uid", "cn"], most=3))
    for entry in found:
        wanted = value if isinstance(value, str) else value.decode("utf-8", "replace")
        assert entry.text("uid") == "ann" or username_key(wanted) in {
            username_key(name) for name in entry.texts("cn")
        }
