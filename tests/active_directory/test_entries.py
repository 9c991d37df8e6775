"""What the bytes of Active Directory mean, without a server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ldap3.operation.search import compile_filter, parse_filter

from idp.directory.active_directory.account import refusal
from idp.directory.active_directory.even import EvenRefusals
from idp.directory.active_directory.identifiers import (
    BadIdentifier,
    guid_bytes,
    guid_text,
    sid_text,
)
from idp.directory.active_directory.names import filter_for, filter_for_principal
from idp.directory.active_directory.refusals import reason_of

REALMS = ("corp.test", "CORP")
SUNDAY_NOON = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)


def test_a_sid_as_windows_writes_it() -> None:
    raw = bytes.fromhex("010500000000000515000000a065cf7e784b9b5fe77c8770091c0100")
    assert sid_text(raw) == "S-1-5-21-2127521184-1604012920-1887927527-72713"
    assert sid_text(bytes.fromhex("01020000000000052000000020020000")) == "S-1-5-32-544"


@pytest.mark.parametrize("raw", [b"", b"\1\1", b"\2\0" + b"\0" * 6, b"\1\2" + b"\0" * 10])
def test_bytes_that_are_no_sid(raw: bytes) -> None:
    with pytest.raises(BadIdentifier):
        sid_text(raw)


def test_a_guid_as_windows_writes_it() -> None:
    raw = bytes.fromhex("9b3e6f0b54d1c14a8c7d2f6a1b0c9d8e")
    assert guid_text(raw) == "0b6f3e9b-d154-4ac1-8c7d-2f6a1b0c9d8e"
    assert guid_bytes(guid_text(raw)) == raw


@pytest.mark.parametrize(
    "text", ["", "*", "ann", "0B6F3E9B-D154-4AC1-8C7D-2F6A1B0C9D8E", "{0b6f3e9b}", "0" * 32]
)
def test_only_our_own_spelling_of_a_guid_is_one(text: str) -> None:
    assert guid_bytes(text) is None


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("525", "unknown_user"),
        ("52e", "wrong_password"),
        ("530", "logon_hours"),
        ("531", "workstation"),
        ("532", "expired"),
        ("533", "disabled"),
        ("701", "account_expired"),
        ("773", "must_change"),
        ("775", "locked"),
        ("999", "refused"),
    ],
)
def test_sub_codes_as_windows_writes_them(code: str, reason: str) -> None:
    message = "80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, "
    assert reason_of(f"{message}data {code}, v4563\0") == reason
    assert reason_of("") == "refused"


@pytest.mark.parametrize(
    ("typed", "part"),
    [
        ("ann", "(sAMAccountName=ann)"),
        ("CORP\\ann", "(sAMAccountName=ann)"),
        ("corp.test\\ann", "(sAMAccountName=ann)"),
        ("corp\\Ann", "(sAMAccountName=Ann)"),
        ("ann@corp.test", "(|(userPrincipalName=ann\\40corp\\2etest)(sAMAccountName=ann))"),
        ("ann@partner.test", "(userPrincipalName=ann\\40partner\\2etest)"),
        ("a*)(b", "(sAMAccountName=a\\2a\\29\\28b)"),
        ("josé", "(sAMAccountName=jos\\c3\\a9)"),
    ],
)
def test_names_become_filters(typed: str, part: str) -> None:
    assert filter_for(typed, REALMS) == part


@pytest.mark.parametrize("typed", ["", "OTHER\\ann", "\\ann", "CORP\\", "@corp.test", "ann@"])
def test_names_that_nobody_here_has(typed: str) -> None:
    assert filter_for(typed, REALMS) is None


def test_principals_become_filters() -> None:
    assert filter_for_principal("ann", "CORP.TEST", ()) == (
        "(|(userPrincipalName=ann\\40CORP\\2eTEST)(sAMAccountName=ann))"
    )
    assert filter_for_principal("a@partner.test", "CORP.TEST", ()) == filter_for(
        "a@partner.test", ()
    )


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40))
def test_a_filter_says_one_thing_whatever_is_typed(typed: str) -> None:
    made = filter_for(typed, REALMS)
    if made is None:
        return
    account = typed.rpartition("\\")[2]
    names = {typed, account, account.rpartition("@")[0]}
    parsed = parse_filter(made, None, False, None, None, False)
    condition = compile_filter(parsed.elements[0])
    choices = condition["or"] if condition.getName() == "or" else [condition]
    for choice in choices:
        assert choice.getName() == "equalityMatch"
        assert bytes(choice["equalityMatch"]["assertionValue"]).decode() in names


def entry(**values: object) -> dict[str, list[bytes]]:
    return {name.replace("_", "-"): [v if isinstance(v, bytes) else str(v).encode()]
            for name, v in ({"useraccountcontrol": 512} | values).items()}  # fmt: skip


def windows_time(moment: datetime) -> int:
    return int((moment - datetime(1601, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)) * 10


COMPUTED = "msds_user_account_control_computed"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, ""),
        ({"useraccountcontrol": 514}, "disabled"),
        ({"useraccountcontrol": "rubbish"}, "disabled"),
        ({COMPUTED: 16}, "locked"),
        ({COMPUTED: 0, "lockouttime": 1}, ""),
        ({"lockouttime": 132000000000000000}, "locked"),
        ({"lockouttime": 0}, ""),
        ({COMPUTED: 0x800000}, "expired"),
        ({"accountexpires": 0}, ""),
        ({"accountexpires": 9223372036854775807}, ""),
        ({"accountexpires": 9223372036854775000}, ""),
        ({"accountexpires": windows_time(SUNDAY_NOON)}, "account_expired"),
        ({"accountexpires": windows_time(SUNDAY_NOON + timedelta(seconds=1))}, ""),
        ({"logonhours": b"\0" * 21}, "logon_hours"),
        ({"logonhours": b"\xff" * 21}, ""),
        ({"logonhours": b"\0\x10" + b"\0" * 19}, ""),
        ({"logonhours": b"\0\x08" + b"\xff" * 19}, "logon_hours"),
    ],
)
def test_the_state_of_an_account(values: dict[str, object], reason: str) -> None:
    assert refusal(entry(**values), SUNDAY_NOON) == reason


def test_an_account_without_a_state_is_refused() -> None:
    assert refusal({}, SUNDAY_NOON) == "disabled"


def test_a_name_that_nobody_has_takes_as_long_as_a_wrong_password() -> None:
    slept: list[float] = []
    even = EvenRefusals(slept.append)
    for _ in range(50):
        even.known(0.080)
    even.unknown(0.010)
    assert slept == [pytest.approx(0.070, abs=0.001)]
    even.unknown(0.200)  # slow already: nothing is added
    assert len(slept) == 1
    for _ in range(50):
        even.known(30)  # of a controller that hung; nobody waits for so long
    even.unknown(0)
    assert slept[-1] == pytest.approx(0.5, abs=0.001)
