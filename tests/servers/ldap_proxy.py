"""Stands before a real LDAP server and answers some requests in its place, in BER (RFC 4511)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

BIND_REQUEST, BIND_RESPONSE = 0x60, 0x61
SEARCH_REQUEST, SEARCH_ENTRY, SEARCH_RESULT = 0x63, 0x64, 0x65

# Given the request's tag and bytes: the whole answer's protocolOps; None to let the server answer;
# SILENCE for none at all, HANG_UP to end the connection.
Meddle = Callable[[int, bytes], list[bytes] | None]
SILENCE = [b"silence"]
HANG_UP = [b"hang up"]


class LdapProxy:
    """Listens at `port` without TLS. `meddle` may be replaced at any time; `binds` are counted."""

    def __init__(self, behind: int) -> None:
        self.meddle: Meddle = lambda _tag, _request: None
        self.binds: list[bytes] = []
        self._behind = behind
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> LdapProxy:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for opened in self._open:
            opened.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._behind))
            self._open += [client, server]
            threading.Thread(target=self._serve, args=(client, server), daemon=True).start()
            threading.Thread(target=pour, args=(server, client), daemon=True).start()

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        try:
            while message := _message(client):
                number, request = _taken_apart(message)
                if request[0] == BIND_REQUEST:
                    self.binds.append(request)
                answers = self.meddle(request[0], request)
                if answers is None:
                    server.sendall(message)
                elif answers is HANG_UP:
                    break
                elif answers is not SILENCE:
                    client.sendall(b"".join(tlv(0x30, number + each) for each in answers))
        except OSError:
            pass
        finally:
            for opened in (client, server):
                opened.close()


def result(tag: int, code: int) -> bytes:
    """An LDAPResult without a DN or message."""
    return tlv(tag, tlv(0x0A, bytes([code])) + tlv(0x04, b"") + tlv(0x04, b""))


def entry(dn: str, **attributes: list[bytes]) -> bytes:
    """A SearchResultEntry; "__" in a name stands for what a keyword can't hold, a semicolon."""
    listed = b"".join(
        tlv(
            0x30,
            tlv(0x04, name.replace("__", ";").encode())
            + tlv(0x31, b"".join(tlv(0x04, value) for value in values)),
        )
        for name, values in attributes.items()
    )
    return tlv(SEARCH_ENTRY, tlv(0x04, dn.encode()) + tlv(0x30, listed))


def tlv(tag: int, content: bytes) -> bytes:
    """A tag, a length and a content."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _message(opened: socket.socket) -> bytes:
    """One whole LDAPMessage; empty if the other side has gone."""
    head = _read(opened, 2)
    if len(head) == 2 and head[1] & 0x80:
        head += _read(opened, head[1] & 0x7F)
    return head + _read(opened, _size(head)) if head else b""


def _taken_apart(message: bytes) -> tuple[bytes, bytes]:
    """The message's number as it stands there, and what follows: the protocolOp."""
    content = message[2 + (message[1] & 0x7F if message[1] & 0x80 else 0) :]
    end = 2 + content[1]
    return content[:end], content[end:]


def _size(head: bytes) -> int:
    return head[1] if len(head) == 2 else int.from_bytes(head[2:], "big")


def _read(opened: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = opened.recv(size - len(found))
        if not more:
            return b""
        found += more
    return found


def pour(source: socket.socket, target: socket.socket) -> None:
    """Hand on all that comes until it ends."""
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    finally:
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)
