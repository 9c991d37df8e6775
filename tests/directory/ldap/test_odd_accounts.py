"""One account that a server can't cope with takes the directory from nobody else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from idp.directory.interface import DirectoryUnavailable, PersonUnavailable
from idp.directory.ldap.openldap import LdapDirectory
from tests.directory.ldap.conftest import MakeDirectory
from tests.servers.ldap_proxy import (
    BIND_REQUEST,
    BIND_RESPONSE,
    HANG_UP,
    SEARCH_REQUEST,
    SEARCH_RESULT,
    SILENCE,
    LdapProxy,
    entry,
    result,
)
from tests.servers.slapd import GROUPS, PASSWORD, PEOPLE, SERVICE_DN, Slapd

ODD = b"uid=bob,"


@pytest.fixture
def proxy(slapd: Slapd) -> Iterator[LdapProxy]:
    with LdapProxy(slapd.port) as made:
        yield made


@pytest.fixture
def corp(proxy: LdapProxy, make: MakeDirectory) -> LdapDirectory:
    """One server, behind the proxy."""
    servers = [f"127.0.0.1:{proxy.port}"]
    return make(tls="none", servers=servers, timeout_seconds=1.0, group_base_dn=GROUPS)


def answering(code: int, whose: bytes = ODD) -> Callable[[int, bytes], list[bytes] | None]:
    """Answer binds of an entry in the server's place."""

    def meddle(tag: int, request: bytes) -> list[bytes] | None:
        return [result(BIND_RESPONSE, code)] if tag == BIND_REQUEST and whose in request else None

    return meddle


def _hanging_up(tag: int, request: bytes) -> list[bytes] | None:
    return HANG_UP if tag == BIND_REQUEST and ODD in request else None


@pytest.mark.parametrize("code", [1, 51, 52, 80])
def test_a_bind_that_the_server_chokes_on_is_one_persons_trouble(
    proxy: LdapProxy, corp: LdapDirectory, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.meddle = answering(code)
    for _ in range(3):
        with pytest.raises(PersonUnavailable) as refusal:
            corp.authenticate("bob", PASSWORD)
        assert refusal.value.word == "no_usable_answer"
        assert corp.authenticate("ann", PASSWORD).person
    assert not corp.client.servers.down()
    assert "a directory server failed for one person alone" in caplog.messages


def test_a_server_that_hangs_up_on_one_person_is_there_for_the_others(
    proxy: LdapProxy, corp: LdapDirectory
) -> None:
    proxy.meddle = _hanging_up
    with pytest.raises(PersonUnavailable):
        corp.authenticate("bob", PASSWORD)
    assert corp.authenticate("ann", PASSWORD).person


def test_a_silent_answer_to_one_person_costs_the_others_next_to_nothing(
    proxy: LdapProxy, corp: LdapDirectory
) -> None:
    proxy.meddle = lambda tag, request: SILENCE if tag == BIND_REQUEST and ODD in request else None
    with pytest.raises(DirectoryUnavailable):
        corp.authenticate("bob", PASSWORD)
    began = time.monotonic()
    while corp.client.servers.down():
        assert time.monotonic() - began < 5
        time.sleep(0.01)
    assert corp.authenticate("ann", PASSWORD).person


def test_our_own_account_is_asked_only_now_and_then(proxy: LdapProxy, corp: LdapDirectory) -> None:
    """Else each such attempt would be two binds for the server."""
    proxy.meddle = answering(51)
    corp.find_by_name("ann")
    before = len(proxy.binds)
    for _ in range(5):
        with pytest.raises(PersonUnavailable):
            corp.authenticate("bob", PASSWORD)
    assert len(proxy.binds) - before == 5 + 1


def test_a_server_that_is_sick_for_our_own_account_too_is_left_out(
    proxy: LdapProxy, slapd: Slapd, make: MakeDirectory
) -> None:
    servers = [f"127.0.0.1:{proxy.port}", f"127.0.0.1:{slapd.port}"]
    corp = make(tls="none", servers=servers, group_base_dn=GROUPS)
    assert corp.find_by_name("ann")

    def busy(tag: int, _request: bytes) -> list[bytes] | None:
        return [result(BIND_RESPONSE, 51)] if tag == BIND_REQUEST else None

    proxy.meddle = busy
    assert corp.authenticate("ann", PASSWORD).person, "the second server is asked"
    (down,) = corp.client.servers.down()
    assert down.port == proxy.port


def test_a_busy_server_is_tried_sooner_than_one_that_refuses_our_account(
    proxy: LdapProxy, corp: LdapDirectory
) -> None:
    """Trying a refused account often could lock it; a busy server can't lock anybody."""
    for code, longest in ((51, 6.0), (49, 31.0)):
        proxy.meddle = answering(code, SERVICE_DN.encode())
        with pytest.raises(DirectoryUnavailable):
            corp.find_by_name("ann")
        (down,) = corp.client.servers.down().values()
        assert longest - 6.0 - 1.0 < down.retry_at - time.monotonic() <= longest
        if code == 51:
            proxy.meddle = lambda _tag, _request: None
            deadline = time.monotonic() + 10
            while corp.client.servers.down():
                assert time.monotonic() < deadline
                time.sleep(0.01)
            corp.client._pool.close()


def test_a_search_that_the_server_chokes_on_is_one_persons_trouble(
    proxy: LdapProxy, corp: LdapDirectory
) -> None:
    def choke(tag: int, request: bytes) -> list[bytes] | None:
        return [result(SEARCH_RESULT, 80)] if tag == SEARCH_REQUEST and b"bob" in request else None

    proxy.meddle = choke
    with pytest.raises(DirectoryUnavailable):
        corp.authenticate("bob", PASSWORD)
    assert not corp.client.servers.down()
    assert corp.authenticate("ann", PASSWORD).person


def test_a_part_of_the_values_is_not_taken_for_all(proxy: LdapProxy, corp: LdapDirectory) -> None:
    """Active Directory cuts long lists: "member;range=0-1499" holds the first 1,500 members.

    ldap3 asks for the rest by itself, and says nothing if it does not come.
    """

    def cut(tag: int, request: bytes) -> list[bytes] | None:
        if tag != SEARCH_REQUEST or b"bob" not in request or b"groupOfNames" in request:
            return None
        if b"range=2-*" in request:
            return [result(SEARCH_RESULT, 11)]
        part = {"mail__range=0-1": [b"a@x", b"b@x"]}
        identifier = [b"0b6f3e9b-d154-4ac1-8c7d-2f6a1b0c9d8e"]
        given = entry(f"uid=bob,{PEOPLE}", uid=[b"bob"], entryUUID=identifier, **part)
        return [given, result(SEARCH_RESULT, 0)]

    proxy.meddle = cut
    with pytest.raises(DirectoryUnavailable, match="no usable answer"):
        corp.find_by_name("bob")
    assert corp.find_by_name("ann")
