"""idp audit verify, checkpoint, prune: what holds the chain together."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

import click
from cryptography import x509

from idp.audit.admin_events import AuditCheckpointed
from idp.audit.chain import Point, read_ends
from idp.audit.checkpoint import LARGEST_FILE, Checkpoint, CheckpointRefused, Statement
from idp.audit.log import AuditLog, utc_now
from idp.audit.pages import row_at
from idp.audit.retention import prune as prune_rows
from idp.audit.text import printable
from idp.audit.verify import Verification
from idp.audit.verify import verify as verify_chain
from idp.cli.acting import acting_admin, command_origin
from idp.cli.context import open_database, settings_from
from idp.cli.new_file import new_file
from idp.cli.progress import progress_bar
from idp.db.engine import Database
from idp.db.models import canonical_time
from idp.errors import IdpError
from idp.keys.certificate import fingerprint
from idp.keys.ring import KeyRing
from idp.keys.signing_key import KeyState
from idp.keys.store import all_keys


@click.command()
@click.option(
    "--checkpoint",
    "checkpoints",
    type=click.File("rb"),
    multiple=True,
    help="A checkpoint that the chain must still contain; may be repeated.",
)
@click.option(
    "--certificate",
    type=click.File("rb"),
    help="PEM file of the certificate that checkpoints are checked with. Default: the keys in the "
    "database, which whoever rewrote it may have changed as well.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def verify(
    context: click.Context,
    checkpoints: tuple[BinaryIO, ...],
    certificate: BinaryIO | None,
    as_json: bool,
) -> None:
    """Verify the whole chain; exit code 1 if it is broken.

    Names the first row that was changed, removed, inserted, put in another order or cut off.
    Only a checkpoint shows that the whole chain was written anew.

    \b
    Examples:
      idp audit verify
      idp audit verify --checkpoint checkpoint.json --certificate idp.crt
    """
    if certificate and not checkpoints:
        raise click.UsageError("--certificate is for a checkpoint: give --checkpoint too.")
    database = open_database(context)
    pem = certificate.read(LARGEST_FILE) if certificate else None
    statements = []
    trust: list[str] = []
    for file in checkpoints:
        given = Checkpoint.from_json(file.read(LARGEST_FILE + 1))
        trust.append(_checked_signature(given, pem, database))
        statements.append(given.statement)
        if given.statement.entity_id != settings_from(context).entity_id:
            name = printable(given.statement.entity_id, 200)
            click.echo(f"Mind: the checkpoint was made by {name}.", err=True)
    began = time.monotonic()
    points = [statement.point for statement in statements]
    with _progress("Verifying") as progress:
        outcome = verify_chain(database, points, progress)
    if as_json:
        click.echo(json.dumps(_outcome_document(outcome, trust), indent=2))
    else:
        _show_outcome(outcome, time.monotonic() - began, trust)
    context.exit(1 if outcome.finding else 0)


@click.command()
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A new file for it.")
@click.pass_context
def checkpoint(context: click.Context, out: Path | None) -> None:
    """Sign a statement of where the chain is now, with the active signing key.

    Keep it where nobody who can change the database can change it, with the certificate.

    \b
    Examples:
      idp audit checkpoint --out checkpoint-$(date +%F).json
      idp audit checkpoint | ssh vault 'cat > idp-checkpoint.json'
    """
    settings, database = settings_from(context), open_database(context)
    ready = KeyRing(database, settings).active()
    with database.reading() as session:
        head = read_ends(session.connection()).head
        row = row_at(session.connection(), head.seq) if head.seq else None
    if head.seq and (row is None or row.hash != head.hash):
        raise CheckpointRefused(
            f"The chain does not end at its head, row {head.seq}.", "Run: idp audit verify"
        )
    key = ready.key.fingerprint
    event = AuditCheckpointed(actor=acting_admin(), row=head.seq, hash=head.hash, key=key)
    AuditLog(database).record(event, command_origin())
    made_at = canonical_time(utc_now())
    statement = Statement(head.seq, head.hash, made_at, settings.entity_id, key)
    made = Checkpoint.make(
        statement, ready.signer.certificate, lambda data: ready.signer.sign(data, "sha256")
    )
    if out is None:
        click.echo(made.to_json(), nl=False)
        return
    with new_file(out, force=False) as opened:
        opened.write(made.to_json())
    click.echo(f"Checkpoint at row {head.seq:,} in {out}.", err=True)


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def prune(context: click.Context, yes: bool) -> None:
    """Verify the chain, then remove the rows older than audit.keep_days; the chain stays whole.

    \b
    Examples:
      idp audit prune
      IDP_AUDIT__KEEP_DAYS=400 idp audit prune --yes
    """
    days = settings_from(context).audit.keep_days
    if days == 0:
        raise IdpError(
            "Nothing is removed: audit.keep_days is 0, which keeps everything.",
            "Set it to a number of days.",
        )
    database = open_database(context)
    with _progress("Verifying") as progress:
        outcome = verify_chain(database, progress=progress)
    if outcome.finding:
        raise IdpError(
            f"Nothing is removed, because the chain is broken. {outcome.finding.message}",
            "Keep the database as it is for an inquiry.",
        )
    before = utc_now() - timedelta(days=days)
    shown = before.isoformat(timespec="seconds")
    if not yes and not click.confirm(f"Remove the rows older than {shown}?"):
        click.echo("Nothing was removed.")
        context.exit(1)
    with _progress("Removing") as progress:
        removed = prune_rows(
            database, AuditLog(database), before, acting_admin(), command_origin(), progress
        )
    click.echo(f"Removed {removed:,} rows older than {shown}.")


def _checked_signature(given: Checkpoint, pem: bytes | None, database: Database) -> str:
    """Whose signature it is, in words. Raises CheckpointRefused if it is nobody's we trust."""
    if pem is not None:
        try:
            certificate = x509.load_pem_x509_certificate(pem)
        except ValueError:
            raise CheckpointRefused("--certificate is not a certificate in PEM.") from None
        given.check_signature(certificate)
        return f"the certificate given, {fingerprint(certificate)}"
    with database.reading() as session:
        keys = {key.fingerprint: key for key in all_keys(session)}
    key = keys.get(given.statement.key)
    if key is None:
        raise CheckpointRefused(
            "The checkpoint was signed with a key that this database does not know.",
            "Give the certificate from where it was kept safe: --certificate FILE",
        )
    if key.state is KeyState.REVOKED:
        raise CheckpointRefused(
            f"The checkpoint was signed with key {key.id}, which is revoked.",
            "If you know that it was made before, give the certificate: --certificate FILE",
        )
    given.check_signature(key.certificate)
    return f"key {key.id} of this database, {key.fingerprint}"


def _show_outcome(outcome: Verification, seconds: float, trust: list[str]) -> None:
    for by in trust:
        click.echo(f"The checkpoint's signature holds, by {by}.")
    for point in outcome.too_old:
        click.echo(
            f"The checkpoint at row {point.seq:,} is older than the first row that is kept; "
            "it can't be compared."
        )
    for point in outcome.held:
        click.echo(f"The chain still contains the checkpoint at row {point.seq:,}.")
    if outcome.finding:
        click.secho(f"BROKEN: {printable(outcome.finding.message)}", fg="red")
        return
    told = f"The chain is whole: {outcome.rows:,} rows verified in {seconds:.1f} s."
    if outcome.ends and outcome.ends.anchor.seq:
        told += f" Retention removed the rows up to {outcome.ends.anchor.seq:,}."
    click.secho(told, fg="green")


def _outcome_document(outcome: Verification, trust: list[str]) -> dict[str, Any]:
    def document(point: Point) -> dict[str, Any]:
        return {"seq": point.seq, "hash": point.hash}

    finding = outcome.finding
    return {
        "whole": finding is None,
        "rows": outcome.rows,
        "anchor": document(outcome.ends.anchor) if outcome.ends else None,
        "head": document(outcome.ends.head) if outcome.ends else None,
        "finding": finding
        and {"trouble": finding.trouble, "seq": finding.seq, "message": finding.message},
        "checkpoints": {
            "signed_by": trust,
            "held": [document(point) for point in outcome.held],
            "too_old": [document(point) for point in outcome.too_old],
        },
    }


@contextmanager
def _progress(step: str) -> Iterator[Callable[[int, int], None]]:
    with progress_bar() as show:
        yield lambda done, total: show(step, done, total)
