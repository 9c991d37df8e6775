"""The dangers of ldap3's defaults, one by one, against a real server: none of them is left."""

from __future__ import annotations

import gc
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from idp.directory.interface import DirectoryUnavailable
from idp.directory.ldap.connection import Connection, Transport
from idp.directory.ldap.endpoint import Endpoint
from idp.directory.ldap.failure import ServerFailed, Step
from idp.directory.ldap.openldap import LdapDirectory
from idp.directory.ldap.search import equals, find, pages
from idp.settings.directories import TlsMode
from tests.conftest import require_program
from tests.directory.ldap.conftest import MakeDirectory, open_files
from tests.servers.ldap_certificates import Authority
from tests.servers.ldap_proxy import BIND_RESPONSE, pour, result, tlv
from tests.servers.slapd import (
    GROUPS,
    PASSWORD,
    PEOPLE,
    SERVICE_DN,
    SERVICE_PASSWORD,
    SUFFIX,
    Slapd,
)

SERVICE_SECRET = SERVICE_PASSWORD.encode()


@pytest.fixture
def connection(slapd: Slapd) -> Iterator[Connection]:
    transport = Transport("ldaps", slapd.ca_file, 2.0)
    with Connection(Endpoint("localhost", slapd.tls_port), transport) as opened:
        yield opened


@pytest.mark.parametrize("tls", ["ldaps", "starttls"])
def test_a_certificate_of_another_ca_is_refused(slapd: Slapd, tmp_path: Path, tls: TlsMode) -> None:
    other = Authority(tmp_path / "other").file
    for ca_file in (other, None):  # None: those that the system trusts
        port = slapd.tls_port if tls == "ldaps" else slapd.port
        transport = Transport(tls, ca_file, 2.0)
        with pytest.raises(ServerFailed) as failure:
            Connection(Endpoint("localhost", port), transport)
        assert failure.value.step is Step.TLS
        assert "certificate is not accepted" in failure.value.reason


@pytest.mark.parametrize("tls", ["ldaps", "starttls"])
def test_a_certificate_for_another_name_is_refused(tls: TlsMode) -> None:
    with Slapd(hosts=("ldap.test",), addresses=()) as server:
        port = server.tls_port if tls == "ldaps" else server.port
        transport = Transport(tls, server.ca_file, 2.0)
        for host in ("localhost", "127.0.0.1"):
            with pytest.raises(ServerFailed, match="certificate is not accepted"):
                Connection(Endpoint(host, port), transport)


def test_an_address_in_the_certificate_is_accepted(slapd: Slapd) -> None:
    transport = Transport("ldaps", slapd.ca_file, 2.0)
    with Connection(Endpoint("127.0.0.1", slapd.tls_port), transport) as connection:
        assert connection.tls_version == "TLSv1.3"


def test_a_password_never_leaves_before_tls_is_there(slapd: Slapd, make: MakeDirectory) -> None:
    """A server that does not take StartTLS sees neither the service account's nor ann's."""
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            accepted, _ = listener.accept()
            with accepted:
                seen.append(accepted.recv(4096))
                # extendedResp: protocolError(2)
                accepted.sendall(bytes.fromhex("300c02010178070a010204000400"))
                accepted.settimeout(2)
                seen.append(accepted.recv(4096))

        thread = threading.Thread(target=refuse, daemon=True)
        thread.start()
        server = f"127.0.0.1:{listener.getsockname()[1]}"
        directory = make(tls="starttls", servers=[server])
        with pytest.raises(DirectoryUnavailable):
            directory.authenticate("ann", PASSWORD)
        thread.join(5)
    sent = b"".join(seen)
    assert b"1.3.6.1.4.1.1466.20037" in sent
    assert SERVICE_SECRET not in sent
    assert PASSWORD.encode() not in sent


def test_an_answer_slipped_in_before_tls_is_none(slapd: Slapd) -> None:
    """Whoever sits between can add to the last answer in clear: a yes to the bind to come."""
    yes = tlv(0x30, tlv(0x02, b"\2") + result(BIND_RESPONSE, 0))
    with socket.create_server(("127.0.0.1", 0)) as between:

        def slip_in() -> None:
            client, _ = between.accept()
            server = socket.create_connection(("127.0.0.1", slapd.port))
            with client, server:
                server.sendall(client.recv(4096))
                client.sendall(server.recv(4096) + yes)
                back = threading.Thread(target=pour, args=(server, client), daemon=True)
                back.start()
                pour(client, server)
                back.join(5)

        threading.Thread(target=slip_in, daemon=True).start()
        endpoint = Endpoint("localhost", between.getsockname()[1])
        code = None
        with suppress(ServerFailed):
            opened = Connection(endpoint, Transport("starttls", slapd.ca_file, 2.0))
            with opened:
                code = opened.bind(SERVICE_DN, b"wrong").code
        assert code != 0


def test_referrals_are_not_followed(slapd: Slapd, make: MakeDirectory) -> None:
    """By default ldap3 re-binds at the other host, in clear, with the password."""
    came: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as trap:

        def take() -> None:
            while True:
                try:
                    accepted, _ = trap.accept()
                except OSError:
                    return
                with accepted:
                    accepted.settimeout(1)
                    came.append(accepted.recv(4096))

        threading.Thread(target=take, daemon=True).start()
        address = f"ldap://127.0.0.1:{trap.getsockname()[1]}/{PEOPLE}"
        moved, inner = f"ou=moved,{SUFFIX}", f"ou=inner,{PEOPLE}"
        with slapd.admin() as admin:
            for dn, unit in ((moved, "moved"), (inner, "inner")):
                classes = ["referral", "extensibleObject"]
                admin.add(dn, classes, {"ou": unit, "ref": address})
        try:
            # People on another server are nobody; groups there would be groups that are missing.
            assert make(group_base_dn=GROUPS).authenticate("ann", PASSWORD).person
            with pytest.raises(DirectoryUnavailable):
                make().authenticate("ann", PASSWORD)
            # A base that is elsewhere is no answer.
            elsewhere = make(user_base_dn=f"ou=people,{moved}")
            with pytest.raises(DirectoryUnavailable):
                elsewhere.authenticate("ann", PASSWORD)
            time.sleep(0.1)
        finally:
            with slapd.admin() as admin:
                manage = [("2.16.840.1.113730.3.4.2", True, None)]  # ManageDsaIT, RFC 3296
                for dn in (moved, inner):
                    admin.delete(dn, controls=manage)
            trap.shutdown(socket.SHUT_RDWR)
    assert came == []


def test_an_empty_name_or_password_never_reaches_a_server(
    connection: Connection, corp: LdapDirectory
) -> None:
    for dn, password in (("", b"x"), (SERVICE_DN, b""), ("", b"")):
        with pytest.raises(ValueError, match="name and a password"):
            connection.bind(dn, password)
    assert corp.authenticate("ann", "").person is None
    assert corp.authenticate("", PASSWORD).person is None


def test_the_server_itself_would_take_an_empty_password_for_a_question(slapd: Slapd) -> None:
    """What the guard is for: such a bind is not a plain 'wrong password'."""
    whoami = require_program("ldapwhoami", "ldapwhoami")
    command = [whoami, "-x", "-H", f"ldap://127.0.0.1:{slapd.port}", "-D", SERVICE_DN, "-w", ""]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Invalid credentials" not in done.stderr


def test_bytes_that_are_no_text_and_nul_do_not_break_a_bind(connection: Connection) -> None:
    with pytest.raises(ValueError, match="UTF-8"):
        connection.bind(SERVICE_DN, b"\xff\xfe")
    for secret in (b"a\0b", b"\0", b" "):
        assert connection.bind(SERVICE_DN, secret).code == 49
    assert connection.bind(SERVICE_DN, SERVICE_SECRET).code == 0


@pytest.mark.parametrize("tls", ["ldaps", "starttls", "none"])
def test_a_silent_server_costs_its_time_and_no_more(tls: TlsMode) -> None:
    with Slapd() as server:
        server.freeze()
        port = server.tls_port if tls == "ldaps" else server.port
        transport = Transport(tls, server.ca_file, 0.5)
        began = time.monotonic()
        with (
            pytest.raises(ServerFailed) as failure,
            Connection(Endpoint("localhost", port), transport) as opened,
        ):
            opened.bind(SERVICE_DN, SERVICE_SECRET)
        assert failure.value.timed_out
        assert time.monotonic() - began < 1.5


def test_a_server_that_drips_bytes_does_not_stretch_the_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            accepted, _ = listener.accept()
            with accepted:
                for byte in bytes.fromhex("3084000000100201016184000000070a01000400"):
                    try:
                        accepted.sendall(bytes([byte]))
                    except OSError:
                        return
                    time.sleep(0.2)

        threading.Thread(target=drip, daemon=True).start()
        endpoint = Endpoint("127.0.0.1", listener.getsockname()[1])
        began = time.monotonic()
        with (
            Connection(endpoint, Transport("none", None, 0.6)) as opened,
            pytest.raises(ServerFailed, match="no answer in time"),
        ):
            opened.bind(SERVICE_DN, SERVICE_SECRET)
        assert time.monotonic() - began < 1.2


def test_answers_that_are_not_ldap_are_a_failed_server() -> None:
    for nonsense in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x30\x02\x02\x01", b"\x30\x00", b""):
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def answer(listener: socket.socket = listener, text: bytes = nonsense) -> None:
                accepted, _ = listener.accept()
                with accepted:
                    accepted.recv(4096)
                    accepted.sendall(text)

            threading.Thread(target=answer, daemon=True).start()
            endpoint = Endpoint("127.0.0.1", listener.getsockname()[1])
            with (
                Connection(endpoint, Transport("none", None, 0.5)) as opened,
                pytest.raises(ServerFailed),
            ):
                opened.bind(SERVICE_DN, SERVICE_SECRET)


def test_attributes_that_the_server_does_not_know_do_no_harm(connection: Connection) -> None:
    connection.bind(SERVICE_DN, SERVICE_SECRET)
    found = find(connection, SUFFIX, equals("uid", "ann"), ["noSuchAttribute", "cn"], most=2)
    assert [entry.text("cn") for entry in found] == ["Ann Archer"]
    assert find(connection, SUFFIX, "(noSuchAttribute=1)", ["cn"], most=2) == []


def test_a_new_connection_does_not_wait_for_nagle(slapd: Slapd) -> None:
    """40 ms of delayed acknowledgement otherwise, at each connection."""
    transport = Transport("ldaps", slapd.ca_file, 2.0)
    took = []
    for _ in range(5):
        began = time.perf_counter()
        with Connection(Endpoint("localhost", slapd.tls_port), transport) as opened:
            opened.bind(SERVICE_DN, SERVICE_SECRET)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.035


def test_many_sign_ins_leave_nothing_open(corp: LdapDirectory) -> None:
    corp.authenticate("ann", PASSWORD)
    gc.collect()
    before = open_files()
    for number in range(30):
        corp.authenticate("ann", PASSWORD if number % 2 else "wrong")
        corp.authenticate("nobody", "wrong")
    gc.collect()
    assert open_files() <= before
    assert threading.active_count() < 30


def test_threads_never_get_each_others_answers(slapd: Slapd, corp: LdapDirectory) -> None:
    """ldap3's shared connections gave 177 of 180 answers to the wrong thread."""
    names = [f"thread{number}" for number in range(6)]
    for name in names:
        slapd.add_person(name, password=f"the password of {name}")
    wrong: list[str] = []

    def sign_in(name: str) -> None:
        for _ in range(12):
            answer = corp.authenticate(name, f"the password of {name}")
            found = corp.find_by_name(name)
            if not (answer.person and found and answer.person.username == found.username == name):
                wrong.append(name)

    threads = [threading.Thread(target=sign_in, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []


def test_a_page_that_is_not_whole_ends_everything(slapd: Slapd, make: MakeDirectory) -> None:
    """The server's own size limit cuts a list short: nothing is concluded from the part."""
    with Slapd(extra="") as server:
        text = server.configuration.read_text()
        cut = text.replace("sizelimit 500", "sizelimit 5").replace("size=unlimited", "size=5")
        server.stop()
        server.configuration.write_text(cut)
        server.start()
        server.seed()
        ann = server.add_person("ann")
        for number in range(8):
            server.add_group(f"group{number}", ann)
        directory = make(server, page_size=10)
        with pytest.raises(DirectoryUnavailable):
            directory.authenticate("ann", PASSWORD)
        with pytest.raises(DirectoryUnavailable):
            list(directory.people())


def test_paging_gives_each_entry_once(connection: Connection) -> None:
    connection.bind(SERVICE_DN, SERVICE_SECRET)
    for size in (10, 11, 1000):
        found = [e.dn for e in pages(connection, SUFFIX, "(cn=*)", ["cn"], page_size=size)]
        assert len(found) == len(set(found)) > 10
