"""Tickets of a real KDC, accepted and refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from idp.directory.kerberos.acceptor import TicketAcceptor, TicketRefused
from idp.directory.kerberos.keytab import KeytabUnusable, read_keytab, require_service
from idp.directory.kerberos.ticket import parse_principal, sid_of_pac
from tests.active_directory.conftest import OTHER_SERVICE, SERVICE, Token
from tests.active_directory.corp import ANN
from tests.servers.samba import Controller

pytestmark = pytest.mark.xdist_group("ad")


@pytest.fixture
def acceptor(keytab: Path, tmp_path: Path) -> TicketAcceptor:
    return TicketAcceptor(keytab, SERVICE, "CORP.TEST", tmp_path / "replay")


def test_a_ticket_says_who_holds_it_with_the_sid_that_the_controller_signed(
    acceptor: TicketAcceptor, token_of: Token, controller: Controller
) -> None:
    ticket, answer = acceptor.accept(token_of("ann"))
    assert (ticket.name, ticket.realm) == ("ann", "CORP.TEST")
    assert answer
    with controller.administrator() as connection:
        connection.search(ANN.dn, f"(objectSid={ticket.sid})", "BASE", attributes=["cn"])
        assert connection.response[0]["raw_attributes"]["cn"] == [b"Ann Archer"]


def test_a_token_is_taken_once(acceptor: TicketAcceptor, token_of: Token) -> None:
    token = token_of("ann")
    acceptor.accept(token)
    with pytest.raises(TicketRefused) as refusal:
        acceptor.accept(token)
    assert refusal.value.reason == "kerberos_replayed"


def test_a_token_is_taken_once_by_all_processes(
    acceptor: TicketAcceptor, token_of: Token, keytab: Path, tmp_path: Path
) -> None:
    token = token_of("ann")
    acceptor.accept(token)
    another = TicketAcceptor(keytab, SERVICE, "CORP.TEST", tmp_path / "replay")
    with pytest.raises(TicketRefused, match="replayed"):
        another.accept(token)


def test_a_ticket_for_another_service_of_the_keytab_is_refused(
    acceptor: TicketAcceptor, token_of: Token
) -> None:
    with pytest.raises(TicketRefused) as refusal:
        acceptor.accept(token_of("ann", OTHER_SERVICE))
    assert refusal.value.reason == "kerberos_wrong_service"


def test_a_ticket_of_another_realm_is_refused(
    keytab: Path, token_of: Token, tmp_path: Path
) -> None:
    acceptor = TicketAcceptor(keytab, SERVICE, "CORP.TEST", tmp_path / "replay")
    acceptor._realm = "OTHER.TEST"
    with pytest.raises(TicketRefused, match="other_realm"):
        acceptor.accept(token_of("ann"))


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (b"", "kerberos_malformed"),
        (b"rubbish", "kerberos_malformed"),
        (b"\x60\x84\xff\xff\xff\xff", "kerberos_malformed"),
        (b"NTLMSSP\0\1\0\0\0\x97\x82\x08\xe2" + b"\0" * 24, "kerberos_ntlm"),
        (b"\x60" * (64 * 1024 + 1), "kerberos_malformed"),
    ],
)
def test_what_is_no_ticket_is_refused(acceptor: TicketAcceptor, token: bytes, reason: str) -> None:
    with pytest.raises(TicketRefused) as refusal:
        acceptor.accept(token)
    assert refusal.value.reason == reason


def test_every_byte_of_a_ticket_counts(acceptor: TicketAcceptor, token_of: Token) -> None:
    token = token_of("ann")
    for at in range(120, len(token), len(token) // 40):
        changed = token[:at] + bytes([token[at] ^ 0x20]) + token[at + 1 :]
        try:
            ticket, _ = acceptor.accept(changed)
        except TicketRefused:
            continue
        # A byte of the outer wrapping, which says nothing about who it is.
        assert ticket.name == "ann"
        return


def test_ntlm_inside_spnego_is_refused(acceptor: TicketAcceptor) -> None:
    # NegTokenInit (RFC 4178 section 4.2.1) that offers NTLMSSP alone, with its first message.
    ntlm = b"NTLMSSP\0\1\0\0\0\x97\x82\x08\xe2" + b"\0" * 16
    offered = b"\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a"
    mechanisms = _der(0xA0, _der(0x30, offered))
    inner = _der(0xA0, _der(0x30, mechanisms + _der(0xA2, _der(0x04, ntlm))))
    with pytest.raises(TicketRefused) as refusal:
        acceptor.accept(_der(0x60, b"\x06\x06\x2b\x06\x01\x05\x05\x02" + inner))
    assert refusal.value.reason in ("kerberos_other_mechanism", "kerberos_malformed")


def test_the_keytab_has_to_be_ours_alone_and_hold_the_service(keytab: Path, tmp_path: Path) -> None:
    require_service(keytab, SERVICE, "CORP.TEST")
    require_service(keytab, "http/IDP.localhost", "corp.test")
    with pytest.raises(KeytabUnusable, match="no key of HTTP/elsewhere"):
        require_service(keytab, "HTTP/elsewhere", "CORP.TEST")
    open_to_all = tmp_path / "open.keytab"
    open_to_all.write_bytes(keytab.read_bytes())
    open_to_all.chmod(0o644)
    with pytest.raises(KeytabUnusable, match="mode 0644"):
        read_keytab(open_to_all)
    open_to_all.chmod(0o640)
    assert {entry.principal for entry in read_keytab(open_to_all)} == {
        f"{SERVICE}@CORP.TEST",
        f"{OTHER_SERVICE}@CORP.TEST",
    }


@pytest.mark.parametrize("content", [b"", b"\x05\x01", b"\x05\x02\0\0\0\x7f", b"\x05\x02\0\0\0\1a"])
def test_a_broken_keytab_is_refused_with_a_sentence(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "broken.keytab"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(KeytabUnusable):
        require_service(file, SERVICE, "CORP.TEST")


def test_a_keytab_with_rc4_alone_is_refused(tmp_path: Path) -> None:
    def text(value: bytes) -> bytes:
        return len(value).to_bytes(2, "big") + value

    entry = b"\0\2" + text(b"CORP.TEST") + text(b"HTTP") + text(b"idp.localhost")
    entry += b"\0\0\0\1" + b"\0\0\0\0" + b"\2" + b"\0\x17" + text(b"\0" * 16)
    file = tmp_path / "rc4.keytab"
    file.write_bytes(b"\x05\x02" + len(entry).to_bytes(4, "big") + entry)
    file.chmod(0o600)
    with pytest.raises(KeytabUnusable, match="no AES key"):
        require_service(file, SERVICE, "CORP.TEST")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("ann@CORP.TEST", ("ann", "CORP.TEST")),
        ("ann\\@corp.test@CORP.TEST", ("ann@corp.test", "CORP.TEST")),
        ("HTTP/idp.test@CORP.TEST", None),
        ("ann\\n@CORP.TEST", None),
        ("ann", None),
        ("@CORP.TEST", None),
        ("ann@CORP TEST", None),
    ],
)
def test_principals_of_people(text: str, named: tuple[str, str] | None) -> None:
    assert parse_principal(text) == named


@pytest.mark.parametrize("raw", [b"", b"\0" * 12, b"\0" * 8 + b"\2\0\0\0", b"\xff" * 64])
def test_a_pac_that_can_not_be_read_gives_no_sid(raw: bytes) -> None:
    assert sid_of_pac(raw) is None


def _der(tag: int, content: bytes) -> bytes:
    assert len(content) < 128
    return bytes([tag, len(content)]) + content
