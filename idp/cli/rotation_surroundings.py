"""What `idp certs rotate` and `activate` work with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import click

from idp.audit.log import AuditLog
from idp.aws.iam import Reach
from idp.cli.acting import acting_admin, command_origin
from idp.cli.aws_selection import stop_on_interrupt
from idp.cli.context import open_database, settings_from
from idp.cli.progress import progress_bar
from idp.rotation.aws_side import RealAws
from idp.rotation.surroundings import Surroundings


@contextmanager
def surroundings(context: click.Context, reach: Reach, workers: int) -> Iterator[Surroundings]:
    """The real ones: AWS, the clock, a progress bar, and Ctrl-C to stop."""
    settings, database = settings_from(context), open_database(context)
    seconds = 0 if reach.loopback else settings.keys.propagation_seconds  # a sandbox needs none
    with stop_on_interrupt() as stopped, progress_bar() as show:
        yield Surroundings(
            database=database,
            settings=settings,
            audit=AuditLog(database),
            aws=RealAws(reach, workers),
            actor=acting_admin(),
            origin=command_origin(),
            propagation=timedelta(seconds=seconds),
            stopped=stopped,
            show=show,
        )
