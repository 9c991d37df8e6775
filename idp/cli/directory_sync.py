"""idp directory sync: everybody as the directories have them, counted, listed and compared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TextIO

import click

from idp.cli.context import directories_of, open_database
from idp.cli.left_out import LeftOutPeople
from idp.cli.new_file import new_file
from idp.cli.progress import progress_bar
from idp.directory.person import Person
from idp.entitlements.census import Census, person_line
from idp.entitlements.earlier_list import Changes, EarlierList
from idp.entitlements.evaluate import evaluate
from idp.entitlements.plan_words import printable
from idp.entitlements.store import Entitlements

STEP = "Reading people"
_SHOWN = 10


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write everybody to this file, one JSON object a line.",
)
@click.option("--force", is_flag=True, help="Overwrite it.")
@click.option(
    "--compare",
    type=click.File("r", encoding="utf-8"),
    help="A list that was written earlier: tell who came, left or changed.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_context
def sync(
    context: click.Context,
    names: tuple[str, ...],
    output: Path | None,
    force: bool,
    compare: TextIO | None,
    as_json: bool,
) -> None:
    """Read everybody from directories and report: people, groups, and the roles that follow.

    Nothing of it is needed for signing in, which asks the directory itself, and nothing is kept
    but the file you ask for. It shows before a change who would get which role, which groups
    nobody is in, whose values AWS would refuse; and, with a list of an earlier day, who came,
    left or has other groups or roles. The list holds groups and attributes, no passwords.

    \b
    Examples:
      idp directory sync
      idp directory sync corp --output monday.jsonl
      idp directory sync corp --output tuesday.jsonl --compare monday.jsonl
    """
    directories = directories_of(context)
    chosen = [directories.named(name) for name in names] or list(directories.by_name.values())
    ruleset = Entitlements(open_database(context)).current()
    census = Census()
    earlier = EarlierList(compare) if compare else None
    left_out = LeftOutPeople()
    people = (person for directory in chosen for person in directory.people(left_out))
    with new_file(output, force) if output else nullcontext() as file:
        for person in _with_progress(people):
            grants = evaluate(ruleset, person)
            census.add(person, grants)
            if file or earlier:
                line = person_line(person, grants)
                if file:
                    file.write(json.dumps(line, ensure_ascii=False) + "\n")
                if earlier:
                    earlier.compare(line)
    changes = earlier.finish() if earlier else None
    left_out.tell()
    if as_json:
        document: dict[str, Any] = census.document()
        document["left_out"] = dict(left_out.reasons)
        if changes:
            document["changes"] = changes.document()
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    for text in _report(census, changes):
        click.echo(printable(text))
    if output:
        click.echo(f"Everybody is in {output}.")


def _with_progress(people: Iterator[Person]) -> Iterator[Person]:
    with progress_bar() as progress:
        count = 0
        for count, person in enumerate(people, start=1):
            yield person
            if count % 100 == 0:
                progress(STEP, count, None)
        progress(STEP, count, count)


def _report(census: Census, changes: Changes | None) -> Iterator[str]:
    for directory, count in census.people.items():
        yield f"{directory}: {count} people"
    if not census.people:
        yield "There is nobody."
    yield f"In no group: {census.without_groups}. With no role: {census.without_roles}."
    for heading, counted in (("Groups", census.groups), ("Roles", census.roles)):
        yield f"{heading}: {len(counted)}"
        for name, count in counted.most_common(_SHOWN):
            yield f"  {count:>8}  {name}"
        if len(counted) > _SHOWN:
            yield f"            and {len(counted) - _SHOWN} more; --json names them all"
    if census.problem_count:
        yield f"Values that AWS would refuse: {census.problem_count}"
        yield from (f"  {problem}" for problem in census.problems[:_SHOWN])
    if changes:
        yield f"Came: {changes.came}. Left: {changes.left}. Changed: {changes.changed}."
        for kind, names in changes.names.items():
            if names:
                yield f"  {kind}: {', '.join(names[:_SHOWN])}{' ...' if names[_SHOWN:] else ''}"
