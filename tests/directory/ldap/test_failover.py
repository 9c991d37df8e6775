"""Servers that die, freeze, come back and change: what a sign-in loses by it, and how often."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from idp.directory.interface import DirectoryUnavailable
from idp.directory.ldap.openldap import LdapDirectory
from tests.directory.ldap.conftest import MakeDirectory
from tests.servers.ldap_certificates import Authority
from tests.servers.slapd import PASSWORD, PEOPLE, SERVICE_DN, Slapd

pytestmark = pytest.mark.xdist_group("heavy")


@pytest.fixture
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Slapd, Slapd]]:
    """Two servers of one company."""
    authority = Authority(tmp_path_factory.mktemp("ca"))
    with Slapd(authority) as first, Slapd(authority) as second:
        for server in (first, second):
            server.seed()
            server.add_person("ann")
        yield first, second


def _takes(action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


def _signs_in(directory: LdapDirectory) -> bool:
    return directory.authenticate("ann", PASSWORD).person is not None


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_frozen_server_costs_its_time_once(
    pair: tuple[Slapd, Slapd], make: MakeDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    first, _second = pair
    directory = make(*pair, timeout_seconds=1.0)
    assert _signs_in(directory)
    first.freeze()
    assert 0.9 < _takes(lambda: _signs_in(directory)) < 1.8
    for _ in range(5):
        assert _takes(lambda: _signs_in(directory)) < 0.5
    assert [record.message for record in caplog.records].count(
        "a directory server is left out"
    ) == 1
    first.thaw()
    _until(lambda: not directory.client.servers.down())
    assert _signs_in(directory)
    assert "a directory server answers again" in caplog.messages


def test_a_killed_server_costs_nothing(pair: tuple[Slapd, Slapd], make: MakeDirectory) -> None:
    first, _second = pair
    directory = make(*pair)
    assert _signs_in(directory)
    first.kill()
    for _ in range(3):
        assert _takes(lambda: _signs_in(directory)) < 0.5


def test_a_server_that_freezes_between_search_and_bind_is_passed_by(
    pair: tuple[Slapd, Slapd], make: MakeDirectory
) -> None:
    first, _second = pair
    directory = make(*pair, timeout_seconds=0.5)
    person = directory.find_by_name("ann")
    first.freeze()
    assert person
    answer = directory.client.check_password(f"uid=ann,{PEOPLE}", PASSWORD.encode())
    assert answer.code == 0
    assert directory.find(person.directory_id) is None, "entryUUIDs of the two servers differ here"


def test_with_no_server_left_nobody_gets_in_and_nobody_waits(
    pair: tuple[Slapd, Slapd], make: MakeDirectory
) -> None:
    directory = make(*pair, timeout_seconds=0.5)
    person = directory.find_by_name("ann")
    assert person
    for server in pair:
        server.freeze()
    with pytest.raises(DirectoryUnavailable) as refusal:
        directory.authenticate("ann", PASSWORD)
    assert refusal.value.status == 503
    assert "localhost" not in str(refusal.value), "pages say nothing of our servers"

    def refused() -> None:
        for ask in (
            lambda: directory.authenticate("ann", PASSWORD),
            lambda: directory.authenticate("nobody", "wrong"),
            lambda: directory.find(person.directory_id),
            lambda: list(directory.people()),
        ):
            with pytest.raises(DirectoryUnavailable):
                ask()

    assert _takes(refused) < 0.3
    for server in pair:
        server.thaw()
    _until(lambda: not directory.client.servers.down())
    assert _signs_in(directory)


def test_connections_survive_a_restart_and_another_certificate(
    pair: tuple[Slapd, Slapd], make: MakeDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody notices: the pool sees that its connections have ended and opens others."""
    first, _ = pair
    directory = make(first)
    assert _signs_in(directory)
    for _ in range(2):
        first.stop()
        first.renew_certificate()
        first.start()
        assert _signs_in(directory)
    assert caplog.messages == []


def test_the_servers_idle_time_out_is_not_noticed(
    make: MakeDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    with Slapd(extra="idletimeout 1") as server:
        server.seed()
        server.add_person("ann")
        directory = make(server)
        assert _signs_in(directory)
        time.sleep(1.6)
        assert _signs_in(directory)
    assert caplog.messages == []


def test_a_changed_service_password_is_read_from_its_file(
    pair: tuple[Slapd, Slapd], make: MakeDirectory
) -> None:
    first, _ = pair
    directory = make(first, idle_seconds=1)
    assert _signs_in(directory)
    first.modify(SERVICE_DN, userPassword="another-secret")
    file = directory.client.settings.bind_password_file
    assert file
    file.write_text("another-secret\n")
    time.sleep(1.1)
    assert _signs_in(directory)


@pytest.mark.parametrize("mode", [0o644, 0o640])
def test_a_password_file_that_others_can_read_is_not_used(
    slapd: Slapd, make: MakeDirectory, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    directory = make()
    file = directory.client.settings.bind_password_file
    assert file
    file.chmod(mode)
    with pytest.raises(DirectoryUnavailable):
        directory.authenticate("ann", PASSWORD)
    assert any("can be read by others" in str(vars(record)) for record in caplog.records)


def test_passwords_are_in_no_log(
    pair: tuple[Slapd, Slapd], make: MakeDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    directory = make(*pair, timeout_seconds=0.3)
    directory.authenticate("ann", PASSWORD)
    directory.authenticate("ann", "a wrong pässword")
    for server in pair:
        server.freeze()
    with pytest.raises(DirectoryUnavailable):
        directory.authenticate("ann", PASSWORD)
    said = " ".join(str(vars(record)) for record in caplog.records)
    assert PASSWORD not in said
    assert "pässword" not in said
    assert "service-secret" not in said
