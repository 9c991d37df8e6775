"""Distinguished names: spellings of one compare equal, and a look-alike never lies under a base."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.entitlements.dn import BadDn, Dn, dn_key, lies_under, parse_dn

BASE = "OU=AWS,OU=Groups,DC=corp,DC=example"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CN=Admins,OU=AWS,DC=corp", "cn=ADMINS , ou=aws,dc=CORP"),
        (r"CN=a\,b,DC=corp", r"CN=a\2Cb,DC=corp"),
        ("CN=Bücher,DC=corp", r"CN=B\C3\9Ccher,DC=corp"),
        ("2.5.4.3=x,DC=corp", "CN=x,0.9.2342.19200300.100.1.25=corp"),
        ("OID.2.5.4.11=x", "OU=x"),
        ("CN=a+UID=b,DC=corp", "uid=B + cn=A,dc=corp"),
        (r"CN=a\ ,DC=corp", r"CN=a\20,DC=corp"),
        ("CN=#04024869,DC=corp", "CN=#04024869,DC=CORP"),
    ],
)
def test_spellings_of_one_name_are_equal(one: str, other: str) -> None:
    assert parse_dn(one) == parse_dn(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CN=a b,DC=corp", "CN=a  b,DC=corp"),
        (r"CN=a\ ,DC=corp", "CN=a,DC=corp"),
        (r"CN=a\,DC=corp", "CN=a,DC=corp"),
        ("CN=k,DC=corp", "CN=\u212a,DC=corp"),
        ("CN=#6869,DC=corp", r"CN=\#6869,DC=corp"),
        ("CN=a+UID=b,DC=corp", "CN=a,UID=b,DC=corp"),
    ],
)
def test_names_that_a_directory_may_keep_apart_stay_apart(one: str, other: str) -> None:
    assert parse_dn(one) != parse_dn(other)


@pytest.mark.parametrize(
    "text",
    [
        *("", "  ", "Admins", "CN", "CN=a,", ",CN=a", "CN=a,,DC=x", '"CN=a",DC=x', 'CN="a",DC=x'),
        *("CN=a;DC=x", "CN=a<b", r"CN=\zz", "CN=a\\", r"CN=\ff,DC=x", "CN=a\0", r"CN=\00a,DC=x"),
        *("C N=a", "CN=\ud800", "CN=" + "x" * 2048, "1=a", "CN=a+,DC=x"),
    ],
)
def test_refuses_what_is_no_name(text: str) -> None:
    with pytest.raises(BadDn, match=r"not a distinguished name"):
        parse_dn(text)
    assert dn_key(text) is None


@pytest.mark.parametrize(
    ("dn", "under"),
    [
        ("CN=AWS-1-Admin," + BASE, True),
        ("CN=x,OU=deeper," + BASE.lower(), True),
        (BASE, True),
        ("CN=x,OU=Groups,DC=corp,DC=example", False),
        ("CN=x,OU=NotAWS,OU=Groups,DC=corp,DC=example", False),
        ("CN=x,OU=AWS,OU=Groups,DC=corp,DC=example,DC=com", False),
        ("CN=x,XOU=AWS,OU=Groups,DC=corp,DC=example", False),
        (r"CN=x\,OU=AWS\,OU=Groups\,DC=corp\,DC=example,OU=Elsewhere,DC=corp,DC=example", False),
        (r"CN=x\,OU=AWS,OU=Groups,DC=corp,DC=example", False),
        ("CN=x+OU=AWS,OU=Groups,DC=corp,DC=example", False),
    ],
)
def test_a_name_lies_under_a_base_by_its_elements(dn: str, under: bool) -> None:
    assert lies_under(parse_dn(dn), parse_dn(BASE)) is under


TYPES = st.sampled_from(("CN", "OU", "DC", "UID"))
VALUES = st.text(
    st.one_of(st.sampled_from(',+"\\<>;=# abAB'), st.characters(exclude_categories=["Cs", "Cc"])),
    min_size=1,
    max_size=8,
)
NAMES = st.lists(st.tuples(TYPES, VALUES), min_size=1, max_size=4)


def written(names: list[tuple[str, str]], *, hexed: bool) -> str:
    def escaped(value: str) -> str:
        if hexed:
            return "".join(f"\\{byte:02x}" for byte in value.encode())
        inside = "".join(f"\\{c}" if c in ',+"\\<>;' else c for c in value)
        if inside[0] in " #":
            inside = "\\" + inside
        if inside.endswith(" ") and not inside.endswith("\\ "):
            inside = inside[:-1] + "\\ "
        return inside

    return ",".join(f"{kind}={escaped(value)}" for kind, value in names)


def key_of(names: list[tuple[str, str]]) -> Dn:
    return tuple(parse_dn(written([name], hexed=True))[0] for name in names)


@given(NAMES)
def test_however_it_is_escaped_a_name_is_the_same(names: list[tuple[str, str]]) -> None:
    plain, hexed = written(names, hexed=False), written(names, hexed=True)
    assert parse_dn(plain) == parse_dn(hexed) == key_of(names)
    assert len(parse_dn(plain)) == len(names)


@given(NAMES, NAMES)
def test_under_a_base_is_exactly_what_ends_with_its_elements(
    names: list[tuple[str, str]], base: list[tuple[str, str]]
) -> None:
    assert lies_under(
        parse_dn(written(names + base, hexed=False)), parse_dn(written(base, hexed=True))
    )
    expected = key_of(names)[-len(base) :] == key_of(base)
    found = lies_under(parse_dn(written(names, hexed=False)), parse_dn(written(base, hexed=False)))
    assert found is expected


@given(VALUES.filter(lambda value: value.strip()), NAMES)
def test_no_name_of_a_group_moves_it_under_a_base(name: str, place: list[tuple[str, str]]) -> None:
    """Whoever may name a group freely, elsewhere, may write the base into its name."""
    group = written([("CN", f"{name},{BASE}"), *place], hexed=False)
    assert lies_under(parse_dn(group), parse_dn(BASE)) is (
        lies_under(key_of(place), parse_dn(BASE))
    )
