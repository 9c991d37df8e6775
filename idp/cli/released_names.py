"""idp user release-name: a name that AWS knows somebody by, free for somebody else."""

from __future__ import annotations

import click

from idp.audit.admin_events import NameReleased
from idp.audit.log import AuditLog
from idp.cli.acting import acting_admin, command_origin
from idp.cli.context import open_database
from idp.errors import IdpError
from idp.sso.claimed_names import NAME_KINDS, HeldName, NameKind, holders, release


class NameNotHeld(IdpError):
    """A name was to be released that nobody holds."""


@click.command("release-name")
@click.argument("name")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(list(NAME_KINDS)),
    help="Only as this kind of name; may be repeated. Default: every kind.",
)
@click.pass_context
def release_name(context: click.Context, name: str, kinds: tuple[NameKind, ...]) -> None:
    """Take NAME from the person who holds it, so that the next one who signs in with it gets it.

    For a holder who has left, or whose name has changed: one whose attributes still say NAME takes
    it back by opening a role. Running servers notice within ten seconds. AWS sessions that the
    holder has open go on under NAME until they end, and CloudTrail's past keeps it: the audit
    trail tells who it was when.

    \b
    Examples:
      idp user show ann
      idp user release-name ann
      idp user release-name ann@example.com --kind name_id
    """
    database = open_database(context)
    with database.reading() as session:
        found = holders(session, name, kinds or tuple(NAME_KINDS))
    if not found:
        kind = " or ".join(NAME_KINDS[each] for each in kinds) or "name"
        raise NameNotHeld(
            f"Nobody holds the {kind} {name[:320]!r}.",
            "See the names that a person holds with: idp user show NAME",
        )
    for held in found:
        click.echo(f"{described(held)} is held by {held.person}.")
    log = AuditLog(database)
    with database.writing() as session:
        for held in found:
            log.append(session, _released(held), command_origin())
            if not release(session, held):
                raise NameNotHeld(
                    f"{described(held)} was released by somebody else meanwhile; nothing was done.",
                    "Run the command again.",
                )
    for held in found:
        click.echo(f"Released {described(held)}.")


def described(held: HeldName) -> str:
    """The kind of a name as AWS calls it, and the name."""
    return f"{NAME_KINDS[held.kind]} {held.name!r}"


def _released(held: HeldName) -> NameReleased:
    return NameReleased(
        actor=acting_admin(),
        subject=held.name,
        changes={"kind": held.kind, "holder": held.person, "person_id": held.person_id},
    )
