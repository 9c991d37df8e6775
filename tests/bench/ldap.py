"""(h) full sign-ins against LDAP servers with many entries, one of which falls silent midway."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.bench.company import PASSWORD
from tests.bench.machine import Others
from tests.bench.place import make_place
from tests.bench.plan import Plan
from tests.bench.rows import LONGEST_WAIT_SECONDS, Row, Verdict
from tests.bench.served import Served
from tests.bench.size import username
from tests.bench.visitor import Visitor, full_sign_ins
from tests.servers.slapd import GROUPS, PEOPLE, SERVICE_DN, SERVICE_PASSWORD, SUFFIX, Slapd

CLIENTS = 8
_IN_A_CHAIN = 100  # people at the bottom of each chain of groups
_TOP = "team-00000"  # the name that a rule of the company has


def measure_ldap(plan: Plan, folder: Path, tell: Callable[[str], None]) -> Iterator[Row]:
    """Both rows. All people are the same distance below the group that gives a role."""
    tell(f"filling LDAP servers with {plan.ldap_entries:,} entries")
    place = make_place(folder, None, "ldap", plan.empty)
    people = [username(index * plan.ldap_entries // 64) for index in range(64)]
    with ExitStack() as stack:
        first, second = _pair(stack, plan)
        environment = _environment(folder, first, second)
        with Served(place.folder, "", 0, environment) as served:
            full_sign_ins(served.port, people, CLIENTS, plan.ldap_seconds / 4)  # warm
            tell("sign-ins against LDAP")
            with Others() as others:
                done = full_sign_ins(served.port, people, CLIENTS, plan.ldap_seconds)
            yield Row(
                "ldap-sign-in",
                f"full sign-in, LDAP of {plan.ldap_entries:,}, groups {plan.ldap_depth} deep, "
                f"{CLIENTS} clients",
                done.per_second,
                "/s",
                p50_ms=done.p50_ms,
                p99_ms=done.p99_ms,
                others=others.cores,
                note=f"the client took {done.client_cores:.0%} of a core",
            )
            tell("sign-ins while an LDAP server falls silent")
            with Others() as others:
                seen = _while_stopped(served.port, people, plan.ldap_seconds, first)
            yield Row(
                "ldap-server-stopped",
                "longest sign-in, one of two LDAP servers silent from the middle on",
                seen.longest,
                "s",
                verdicts=(
                    Verdict("s", seen.longest, LONGEST_WAIT_SECONDS, at_least=False),
                    Verdict("errors", len(seen.errors), 0, at_least=False),
                ),
                others=others.cores,
                note=f"{len(seen.errors)} errors in {seen.done} sign-ins",
            )


@dataclass(slots=True)
class _Seen:
    longest: float = 0.0
    done: int = 0
    errors: list[str] = field(default_factory=list)


def _while_stopped(port: int, people: list[str], seconds: float, server: Slapd) -> _Seen:
    seen, turns, lock = _Seen(), count(), threading.Lock()
    begin = time.perf_counter()

    def visit() -> None:
        while time.perf_counter() - begin < seconds:
            visitor = Visitor(port)
            began, problem = time.perf_counter(), ""
            try:
                visitor.sign_in(people[next(turns) % len(people)])
            except Exception as failed:
                problem = str(failed)[:200]
            took = time.perf_counter() - began
            visitor.close()
            with lock:
                seen.done += 1
                seen.longest = max(seen.longest, took)
                if problem:
                    seen.errors.append(problem)

    threads = [threading.Thread(target=visit) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    time.sleep(seconds / 2)
    server.freeze()
    for thread in threads:
        thread.join()
    server.thaw()
    return seen


def _pair(stack: ExitStack, plan: Plan) -> tuple[Slapd, Slapd]:
    """Two servers with the same entries: loaded once, copied once."""
    first = Slapd()
    second = Slapd(first.authority)
    for server in (first, second):
        stack.callback(server.discard)
    with tempfile.NamedTemporaryFile("w", suffix=".ldif") as file:
        for entry in _entries(plan.ldap_entries, plan.ldap_depth):
            file.write(entry)
        file.flush()
        first.load(Path(file.name))
    shutil.copytree(first.folder / "db", second.folder / "db", dirs_exist_ok=True)
    for server in (first, second):
        server.start()
    return first, second


def _environment(folder: Path, *servers: Slapd) -> dict[str, str]:
    password_file = folder / "ldap-password"
    password_file.touch(mode=0o600)
    password_file.write_text(SERVICE_PASSWORD)
    corp = {
        "name": "corp",
        "kind": "ldap",
        "servers": [f"localhost:{server.tls_port}" for server in servers],
        "ca_file": str(servers[0].ca_file),
        "bind_dn": SERVICE_DN,
        "bind_password_file": str(password_file),
        "base_dn": SUFFIX,
        "groups_from": ["groupOfNames"],
    }
    return {"IDP_DIRECTORIES": json.dumps([corp])}


def _entries(people: int, depth: int) -> Iterator[str]:
    yield f"dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: x\n\n"
    for unit in ("people", "groups", "services"):
        yield f"dn: ou={unit},{SUFFIX}\nobjectClass: organizationalUnit\nou: {unit}\n\n"
    yield (
        f"dn: {SERVICE_DN}\nobjectClass: organizationalRole\n"
        f"objectClass: simpleSecurityObject\ncn: idp\nuserPassword: {SERVICE_PASSWORD}\n\n"
    )
    for number in range(people):
        name = username(number)
        yield (
            f"dn: uid={name},{PEOPLE}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\n"
            f"sn: {name}\nmail: {name}@example.test\nuserPassword: {PASSWORD}\n"
            "departmentNumber: Sales\n\n"
        )
    chains = range((people + _IN_A_CHAIN - 1) // _IN_A_CHAIN)
    for chain in chains:
        first = chain * _IN_A_CHAIN
        members = range(first, min(first + _IN_A_CHAIN, people))
        yield _group(f"chain{chain}-1", [f"uid={username(each)},{PEOPLE}" for each in members])
        for level in range(2, depth):
            yield _group(f"chain{chain}-{level}", [f"cn=chain{chain}-{level - 1},{GROUPS}"])
    yield _group(_TOP, [f"cn=chain{chain}-{depth - 1},{GROUPS}" for chain in chains])


def _group(name: str, members: list[str]) -> str:
    lines = "".join(f"member: {member}\n" for member in members)
    return f"dn: cn={name},{GROUPS}\nobjectClass: groupOfNames\ncn: {name}\n{lines}\n"
