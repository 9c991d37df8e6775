"""How long a plan takes: python -m tests.bench.role_plan. By default 10,000 rules, 100,000 people.

The people come from a file of JSON lines, as `idp roles plan --people` reads them.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from idp.cli.roles_people import people_of
from idp.directory.person import Group, Person
from idp.directory.person_json import person_to_json
from idp.entitlements.account import Account, Accounts
from idp.entitlements.facts import Circumstances
from idp.entitlements.impact import ImpactTotals
from idp.entitlements.plan import make_plan
from idp.entitlements.rule import RoleRule
from idp.entitlements.rules_file import format_rules, parse_rules
from idp.entitlements.session_names import NamesInAws
from tests.bench.machine import Others
from tests.bench.plan import Plan
from tests.bench.rows import PLAN_SECONDS, Row, Verdict

BASE = "OU=AWS,DC=corp,DC=example"
ACCOUNTS = Accounts(
    Account(str(100_000_000_000 + number), f"account-{number}", "aws", "IdP")
    for number in range(100)
)
GROUPS_EACH = 12


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds to read the rules file, and for the plan with the reading of all people.

    `processor` is how long both kept a processor busy.
    """

    reading: float
    planning: float
    processor: float
    totals: ImpactTotals


def measure_plan(plan: Plan, folder: Path) -> Iterator[Row]:
    """The row of the whole benchmark: the rules read and everybody compared."""
    with Others() as others:
        taken = measure(plan.planned_rules, plan.planned_people, folder)
    seconds = taken.reading + taken.planning
    yield Row(
        "role-plan",
        f"roles plan: {plan.planned_rules:,} rules, {plan.planned_people:,} people",
        seconds,
        "s",
        verdicts=(Verdict("s", seconds, PLAN_SECONDS, at_least=False),),
        others=others.cores,
        note=f"{taken.reading:.1f} s of it to read the rules; {taken.processor:.1f} s of one core",
    )


def measure(rules: int, people: int, folder: Path) -> Timing:
    """Plan `rules` rules against all of them but the last ten, for `people` people."""
    content = format_rules([_rule(number) for number in range(rules)]).encode()
    file = folder / "people.jsonl"
    with file.open("w") as lines:
        for person in _people(people, rules):
            lines.write(json.dumps(person_to_json(person)) + "\n")
    begun, busy = time.perf_counter(), time.process_time()
    after = parse_rules(content, ACCOUNTS, {"corp": "active_directory"})
    read = time.perf_counter()
    made = make_plan(
        after[:-10],
        after,
        ACCOUNTS,
        people_of(file),
        NamesInAws.of("{username}", "{mail}"),
        50,
        Circumstances(frozenset(["password"]), "10.1.2.3"),
    )
    return Timing(read - begun, time.perf_counter() - read, time.process_time() - busy, made.totals)


def _rule(number: int) -> RoleRule:
    """Of twenty rules eleven are about a group; the others about everything else there is."""
    alias = (f"account-{number % 100}",)
    common: dict[str, Any] = {"directory": "corp", "accounts": alias, "name": f"rule-{number}"}
    kind = number % 20
    if kind < 11:
        base = (BASE,) if number % 2 else ()
        tags = {"Department": "{department}"}
        group = (f"group-{number}",)
        return RoleRule(**common, groups=group, group_base=base, roles=("Dev",), tags=tags)
    if kind < 13:
        pattern = rf"^app{number}-(?P<account>\d{{12}})-(?P<role>[\w+=,.@-]{{1,64}})$"
        return RoleRule(**common, group_pattern=pattern, group_base=(BASE,))
    if kind < 15:
        return RoleRule(**common, users=(f"user-{number}",), roles=("Own",))
    if kind < 17:
        return RoleRule(**common, attributes={"department": (f"d{number}",)}, roles=("Dept",))
    if kind < 18:
        denied = (f"group-{number - 8}",)
        return RoleRule(**common, effect="deny", groups=denied, roles=("Dev",))
    if kind < 19:
        dn = (f"CN=group-{number},{BASE}",)
        return RoleRule(**common, group_dns=dn, networks=("10.0.0.0/8",), roles=("Named",))
    also = (f"group-{number - 3}",)
    return RoleRule(**common, groups=also, factors=("password",), roles=("Factor",))


def _people(count: int, rules: int) -> Iterator[Person]:
    chance = random.Random(1)
    for number in range(count):
        groups = [
            Group(f"group-{each}", f"CN=group-{each},{BASE if each % 2 else 'DC=corp,DC=example'}")
            for each in chance.sample(range(rules), GROUPS_EACH)
        ]
        account = 100_000_000_000 + number % 100
        groups.append(Group(f"app{number % rules}-{account}-Run", f"CN=app{number % rules},{BASE}"))
        yield Person(
            "corp",
            str(number),
            f"user-{number}",
            f"User {number}",
            groups=tuple(groups),
            attributes={
                "department": (f"d{number % rules}",),
                "mail": (f"u{number}@corp.example",),
            },
        )


@click.command()
@click.option("--rules", default=10_000, show_default=True)
@click.option("--people", default=100_000, show_default=True)
def role_plan(rules: int, people: int) -> None:
    """Measure a plan of many rules against many people."""
    with tempfile.TemporaryDirectory(prefix="idp-bench-") as folder:
        taken = measure(rules, people, Path(folder))
    click.echo(f"{rules:,} rules read in {taken.reading:.1f} s")
    click.echo(f"{taken.totals.people:,} people compared in {taken.planning:.1f} s")
    click.echo(f"Both together: {taken.processor:.1f} s of one core")


if __name__ == "__main__":
    role_plan()
