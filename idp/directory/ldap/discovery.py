"""Finding servers by DNS SRV records (RFC 2782), and by no more than the records are worth.

DNS is not protected: whoever can answer in its place could name a host of his own, which holds a
good certificate for its own name. So the name that a certificate has to show may come from DNS only
as far as the settings bound it: it has to lie in a domain that they name (RFC 4513 section 3.1.3,
RFC 6125 section 6.2.1).
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence

import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver

from idp.directory.ldap.endpoint import Endpoint
from idp.settings.directories import TlsMode

log = logging.getLogger("idp.directory")

_SHORTEST, _LONGEST = 30.0, 3600.0  # seconds that an answer is kept, whatever its TTL
_RETRY = 30.0
# Active Directory publishes its clear-text ports alone; the same servers speak TLS beside them.
_TLS_PORTS = {389: 636, 3268: 3269}


class Discovery:
    """The servers behind one SRV record, as fresh as the record's TTL says.

    Servers that lie in none of `domains` are left out; without any it is the domain that was asked
    for. While DNS does not answer, the servers last seen stay in use.
    """

    def __init__(
        self,
        record: str,
        tls: TlsMode,
        *,
        domains: Sequence[str] = (),
        resolver: dns.resolver.Resolver | None = None,
        seconds: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[float], float] = lambda total: random.uniform(0, total),  # noqa: S311
    ) -> None:
        self._record = record
        self._tls = tls
        self._domains = tuple(domains) or (domain_of(record),)
        self._resolver = resolver
        self._seconds = seconds
        self._clock = clock
        self._chance = chance
        self._lock = threading.Lock()
        self._found: list[Endpoint] = []
        self._until = -1.0
        self.problem = ""
        self.refused = ""

    def __call__(self) -> Sequence[Endpoint]:
        """The servers in the order in which to try them; none if they could never be found.

        `problem` says afterwards why the last look-up failed, "" if it did not; `refused` which
        servers were left out.
        """
        with self._lock:
            if self._clock() >= self._until:
                self._look_up()
            return list(self._found)

    def _look_up(self) -> None:
        try:
            resolver = self._resolver or dns.resolver.get_default_resolver()
            answer = resolver.resolve(
                self._record, dns.rdatatype.SRV, lifetime=self._seconds, search=False
            )
        except (dns.exception.DNSException, OSError) as problem:
            self.problem = f"the SRV record {self._record} can't be looked up: {_said(problem)}"
            log.error("directory servers can't be looked up", extra={"reason": self.problem})
            self._until = self._clock() + _RETRY
            return
        inside = [each for each in answer if self._is_ours(each.target)]
        records = [
            (each.priority, each.weight, str(each.target).rstrip("."), each.port) for each in inside
        ]
        self.problem = ""
        self._refuse({str(each.target).rstrip(".") for each in answer if each not in inside})
        self._found = [
            Endpoint(host, self._port(port))
            for host, port in _ordered(records, self._chance)
            if host  # a target of "." says that the service is not offered
        ]
        if not self._found:
            self.problem = f"the SRV record {self._record} names no server"
            self.problem += " that may be asked" if self.refused else ""
        ttl = float(answer.rrset.ttl) if answer.rrset else _SHORTEST
        self._until = self._clock() + min(max(ttl, _SHORTEST), _LONGEST)

    def _is_ours(self, target: dns.name.Name) -> bool:
        return target == dns.name.root or any(
            target.is_subdomain(dns.name.from_text(domain)) for domain in self._domains
        )

    def _refuse(self, hosts: set[str]) -> None:
        self.refused = ""
        if hosts:
            self.refused = (
                f"{self._record} names {', '.join(sorted(hosts))}, which is not in "
                f"{' or '.join(self._domains)} (srv_domains)"
            )
            log.error(
                "directory servers of other domains are refused", extra={"reason": self.refused}
            )

    def _port(self, port: int) -> int:
        return _TLS_PORTS.get(port, port) if self._tls == "ldaps" else port


def domain_of(record: str) -> str:
    """The domain that a record's name asks for: what follows its last part with an underscore.

    It is corp.example for _ldap._tcp.corp.example, and for _ldap._tcp.dc._msdcs.corp.example.
    """
    labels = record.rstrip(".").split(".")
    services = [at for at, label in enumerate(labels) if label.startswith("_")]
    return ".".join(labels[services[-1] + 1 :] if services else labels)


def _ordered(
    records: Sequence[tuple[int, int, str, int]], chance: Callable[[float], float]
) -> list[tuple[str, int]]:
    """By priority; within one by lot, a record of double weight twice as often first."""
    ordered: list[tuple[str, int]] = []
    for priority in sorted({record[0] for record in records}):
        left = sorted(record for record in records if record[0] == priority)
        while left:
            drawn = chance(sum(weight for _, weight, _, _ in left))
            for record in left:
                drawn -= record[1]
                if drawn <= 0:
                    break
            left.remove(record)
            ordered.append((record[2], record[3]))
    return ordered


def _said(problem: Exception) -> str:
    if isinstance(problem, dns.resolver.NXDOMAIN):
        return "there is no such name"
    if isinstance(problem, dns.resolver.NoAnswer):
        return "the name has no SRV record"
    if isinstance(problem, dns.exception.Timeout):
        return "the name service does not answer"
    return type(problem).__name__
