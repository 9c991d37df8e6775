"""Finding servers by DNS SRV records, asked of a real name server."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import pytest

from idp.directory.interface import DirectoryUnavailable
from idp.directory.ldap.client import Client
from idp.directory.ldap.discovery import Discovery, domain_of
from idp.directory.ldap.openldap import LdapDirectory
from tests.directory.ldap.conftest import settings_for
from tests.servers.slapd import PASSWORD, Slapd

RECORD = "_ldap._tcp.corp.example"


class NameServer:
    """Answers SRV questions for one name; `records` may change while it runs."""

    def __init__(self) -> None:
        self.records: list[str] = []
        self.ttl = 60
        self.asked = 0
        outer = self

        class Answer(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                data, opened = self.request
                query = dns.message.from_wire(data)
                outer.asked += 1
                response = dns.message.make_response(query)
                name = query.question[0].name
                if name.to_text(omit_final_dot=True) == RECORD:
                    if outer.records:
                        found = dns.rrset.from_text(name, outer.ttl, "IN", "SRV", *outer.records)
                        response.answer.append(found)
                else:
                    response.set_rcode(dns.rcode.NXDOMAIN)
                opened.sendto(response.to_wire(), self.client_address)

        self._server = socketserver.ThreadingUDPServer(("127.0.0.1", 0), Answer)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.resolver = dns.resolver.Resolver(configure=False)
        self.resolver.nameservers = ["127.0.0.1"]
        self.resolver.port = self._server.server_address[1]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def names() -> Iterator[NameServer]:
    server = NameServer()
    yield server
    server.close()


def test_servers_come_by_priority_and_by_lot_within_one(names: NameServer) -> None:
    records = ("20 0 389 spare", "10 10 389 small", "10 90 389 big")
    names.records = [f"{record}.corp.example." for record in records]
    lots = iter([95.0, 0.0, 0.0, 5.0, 0.0, 0.0])
    discovery = Discovery(
        RECORD, "starttls", resolver=names.resolver, chance=lambda total: min(next(lots), total)
    )
    assert [str(each) for each in discovery()] == [
        "big.corp.example:389",
        "small.corp.example:389",
        "spare.corp.example:389",
    ]


def test_each_server_is_listed_once_however_the_lots_fall(names: NameServer) -> None:
    names.records = [f"10 {weight} 389 host{weight}.corp.example." for weight in (0, 1, 5, 100)]
    discovery = Discovery(RECORD, "none", resolver=names.resolver)
    found = list(discovery())
    assert len(found) == len(set(found)) == 4


def test_published_clear_text_ports_become_those_of_ldaps(names: NameServer) -> None:
    records = ("0 0 389 dc1", "0 0 3268 dc1", "0 0 1636 odd")
    names.records = [f"{record}.corp.example." for record in records]
    found = {str(each) for each in Discovery(RECORD, "ldaps", resolver=names.resolver)()}
    assert found == {"dc1.corp.example:636", "dc1.corp.example:3269", "odd.corp.example:1636"}


@pytest.mark.parametrize(
    ("record", "domain"),
    [
        ("_ldap._tcp.corp.example", "corp.example"),
        ("_ldap._tcp.dc._msdcs.corp.example.", "corp.example"),
        ("_ldap._tcp.Berlin._sites.dc._msdcs.corp.example", "corp.example"),
        ("_gc._tcp.corp.example", "corp.example"),
        ("directory.corp.example", "directory.corp.example"),
    ],
)
def test_the_domain_that_a_record_asks_for(record: str, domain: str) -> None:
    assert domain_of(record) == domain


def test_a_spoofed_answer_leads_to_no_host_of_somebody_elses(
    names: NameServer, caplog: pytest.LogCaptureFixture
) -> None:
    """It would hold a good certificate for its own name, from any public CA."""
    hosts = ("evil.test", "notcorp.example", "corp.example.evil.test", "dc1.CORP.example")
    names.records = [f"0 0 636 {host}." for host in hosts]
    discovery = Discovery(RECORD, "ldaps", resolver=names.resolver)
    assert [str(each) for each in discovery()] == ["dc1.CORP.example:636"]
    for host in hosts[:3]:
        assert host in discovery.refused
    assert "srv_domains" in discovery.refused
    assert "directory servers of other domains are refused" in caplog.messages
    names.records = ["0 0 636 evil.test."]
    discovery = Discovery(RECORD, "ldaps", resolver=names.resolver)
    assert discovery() == []
    assert "no server that may be asked" in discovery.problem


def test_domains_that_the_settings_name_are_as_good(names: NameServer) -> None:
    names.records = ["0 0 636 dc1.other.test.", "0 0 636 dc1.corp.example."]
    domains = ["Other.test"]
    found = Discovery(RECORD, "ldaps", domains=domains, resolver=names.resolver)()
    assert [each.host for each in found] == ["dc1.other.test"]


def test_a_spoofed_answer_gets_no_password_and_check_says_so(
    names: NameServer, slapd: Slapd, tmp_path_factory: pytest.TempPathFactory
) -> None:
    names.records = [f"0 0 {slapd.tls_port} localhost."]
    folder = tmp_path_factory.mktemp("spoofed")
    settings = settings_for(slapd, folder=folder, servers=(), srv_record=RECORD)
    listed = Discovery(RECORD, "ldaps", resolver=names.resolver)
    directory = LdapDirectory(settings, Client(settings, listed))
    with pytest.raises(DirectoryUnavailable):
        directory.authenticate("ann", PASSWORD)
    (step,) = directory.check()
    assert (step.step, step.good) == ("discover", False)
    assert "names localhost, which is not in corp.example (srv_domains)" in step.message
    assert "srv_domains" in step.advice
    directory.close()


def test_the_answer_is_kept_as_long_as_its_ttl_says(names: NameServer) -> None:
    now = [0.0]
    names.records, names.ttl = ["0 0 389 one.corp.example."], 100
    discovery = Discovery(RECORD, "none", resolver=names.resolver, clock=lambda: now[0])
    discovery()
    now[0] = 99
    discovery()
    assert names.asked == 1
    names.records = ["0 0 389 two.corp.example."]
    now[0] = 101
    assert [each.host for each in discovery()] == ["two.corp.example"]


def test_what_was_found_stays_in_use_while_dns_is_away(names: NameServer) -> None:
    now = [0.0]
    names.records = ["0 0 389 one.corp.example."]
    discovery = Discovery(
        RECORD, "none", resolver=names.resolver, seconds=0.3, clock=lambda: now[0]
    )
    assert discovery()
    names.close()
    now[0] = 4000
    assert [each.host for each in discovery()] == ["one.corp.example"]
    assert "can't be looked up" in discovery.problem


@pytest.mark.parametrize(
    ("record", "records", "problem"),
    [
        ("_ldap._tcp.other.example", [], "there is no such name"),
        (RECORD, [], "the name has no SRV record"),
        (RECORD, ["0 0 0 ."], "names no server"),
    ],
)
def test_says_why_there_are_no_servers(
    names: NameServer, record: str, records: list[str], problem: str
) -> None:
    names.records = records
    discovery = Discovery(record, "none", resolver=names.resolver)
    assert discovery() == []
    assert problem in discovery.problem


def test_a_directory_found_by_dns_signs_people_in(
    names: NameServer, slapd: Slapd, tmp_path_factory: pytest.TempPathFactory
) -> None:
    names.records = ["0 0 1 localhost.", f"10 0 {slapd.tls_port} localhost."]
    settings = settings_for(
        slapd, folder=tmp_path_factory.mktemp("srv"), servers=(), srv_record=RECORD
    )
    listed = Discovery(RECORD, "ldaps", domains=["localhost"], resolver=names.resolver)
    directory = LdapDirectory(settings, Client(settings, listed))
    assert directory.authenticate("ann", PASSWORD).person
    directory.close()
