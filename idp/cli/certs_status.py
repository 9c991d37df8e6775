"""idp certs status: what needs somebody's attention, for people and for monitoring."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import click

from idp.audit.log import utc_now
from idp.cli.context import open_database, settings_from
from idp.errors import IdpError
from idp.keys.attention import Attention
from idp.keys.custody import open_signer
from idp.keys.expiry import days_left, threshold
from idp.keys.fetches import Fetch, fetches
from idp.keys.signing_key import KeyState, SigningKey
from idp.keys.store import published_keys
from idp.rotation.standing import Standing, standing_of
from idp.settings import Settings

MOST_UNNAMED_SHOWN = 10


@click.command("status")
@click.option("--exit-code", is_flag=True, help="End with 1 if anything needs attention.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def status(context: click.Context, exit_code: bool, as_json: bool) -> None:
    """Say how the published keys stand, whether one is being rotated, and who has read our
    metadata since the newest one.

    Attention is asked for when a certificate ends within 60 days (again at 30, 14 and 7), when the
    active key can't be used, when a service provider of the settings has not fetched the metadata
    since a key was added to it, and when a rotation can't go on by itself: an account failed, the
    process that worked on it has ended, or the overlap is over and the old certificate is still
    there. What the AWS accounts hold says `idp aws status`.

    Exit codes: 0, or with --exit-code 1 if anything needs attention; 2 it can't be said.

    \b
    Examples:
      idp certs status
      idp certs status --exit-code || mail -s "signing keys" security@example.com
    """
    settings = settings_from(context)
    now = utc_now()
    with open_database(context).reading() as session:
        keys = published_keys(session)
        seen = fetches(session)
        rotation = standing_of(session, now)
    wanted = [*_attention(settings, keys, seen, now), *(rotation.attention if rotation else ())]
    if as_json:
        document = _document(settings, keys, seen, wanted, now)
        document["rotation"] = rotation.document() if rotation else None
        click.echo(json.dumps(document, indent=2))
    else:
        for line in _lines(settings, keys, seen, now):
            click.echo(line)
        for line in _rotation_lines(rotation):
            click.echo(line)
        for each in wanted:
            click.secho(f"! {each.subject}: {each.message}", fg="yellow", nl=False)
            click.echo(f" {each.advice}")
        if not wanted:
            click.echo("Nothing needs attention.")
    if exit_code and wanted:
        context.exit(1)


def _attention(
    settings: Settings, keys: Sequence[SigningKey], seen: Sequence[Fetch], now: datetime
) -> Iterator[Attention]:
    active = [key for key in keys if key.state is KeyState.ACTIVE]
    if not active:
        yield Attention("signing key", "There is no active key.", "Run: idp certs generate")
    for key in active:
        try:
            open_signer(key, settings)
        except IdpError as problem:
            yield Attention(key.id, problem.message, problem.advice)
        if threshold(key, now) is not None:
            yield Attention(key.id, _end_in_words(key, now), "Run: idp certs rotate")
    for key in keys:
        for name in _without(key, settings, seen):
            yield Attention(
                name,
                f"It has not fetched the metadata since key {key.id} ({key.state}) was published.",
                f"Let it read {settings.server.base_url}/metadata/for/{name}",
            )


def _end_in_words(key: SigningKey, now: datetime) -> str:
    left = days_left(key, now)
    if left < 0:
        return f"The certificate of the {key.state} key ended {-left:.0f} days ago."
    return f"The certificate of the {key.state} key ends in {left:.0f} days."


def _without(key: SigningKey, settings: Settings, seen: Sequence[Fetch]) -> list[str]:
    """The service providers of the settings that are not known to have seen a coming key."""
    if key.state is KeyState.RETIRING:
        return []
    have = {each.fetcher for each in seen if each.named and key.fingerprint in each.certificates}
    return [each.name for each in settings.service_providers if each.name not in have]


def _lines(
    settings: Settings, keys: Sequence[SigningKey], seen: Sequence[Fetch], now: datetime
) -> Iterator[str]:
    for key in keys:
        left = days_left(key, now)
        yield f"{key.state:<9} {key.id}  {key.algorithm}  {key.custody}  {left:.0f} days left"
    newest = max(keys, key=lambda key: key.created_at, default=None)
    if newest is None:
        return
    named = {each.fetcher: each for each in seen if each.named}
    for provider in settings.service_providers:
        yield _fetch_line(provider.name, named.get(provider.name), newest)
    unnamed = [each for each in seen if not each.named]
    for each in unnamed[:MOST_UNNAMED_SHOWN]:
        yield _fetch_line(f"{each.address} ({each.user_agent or 'no user agent'})", each, newest)
    if len(unnamed) > MOST_UNNAMED_SHOWN:
        yield f"and {len(unnamed) - MOST_UNNAMED_SHOWN:,} more addresses"


def _rotation_lines(standing: Standing | None) -> Iterator[str]:
    if standing is None:
        return
    rotation = standing.report.rotation
    yield (
        f"rotation {rotation.id} ({rotation.phase}): from key {rotation.old_key_id} to "
        f"{rotation.next_key_id}, begun {rotation.started_at:%Y-%m-%d %H:%M} UTC by "
        f"{rotation.started_by}"
    )
    yield f"  {standing.waits_for}"
    counted = standing.counted()
    if counted:
        yield "  accounts: " + ", ".join(f"{number} {word}" for word, number in counted.items())


def _fetch_line(name: str, fetch: Fetch | None, newest: SigningKey) -> str:
    if fetch is None:
        return f"{name}: has never fetched the metadata"
    knows = "with" if newest.fingerprint in fetch.certificates else "without"
    return f"{name}: fetched {fetch.at:%Y-%m-%dT%H:%MZ}, {knows} key {newest.id}"


def _document(
    settings: Settings,
    keys: Sequence[SigningKey],
    seen: Sequence[Fetch],
    wanted: Sequence[Attention],
    now: datetime,
) -> dict[str, Any]:
    return {
        "keys": [
            {
                "id": key.id,
                "state": key.state.value,
                "custody": key.custody,
                "fingerprint": key.fingerprint,
                "not_after": key.certificate.not_valid_after_utc.isoformat(),
                "days_left": round(days_left(key, now), 1),
                "warning_days": threshold(key, now),
                "not_seen_by": _without(key, settings, seen),
            }
            for key in keys
        ],
        "fetches": [
            {
                "service_provider": each.fetcher if each.named else None,
                "address": each.address,
                "user_agent": each.user_agent,
                "at": each.at.isoformat(),
                "certificates": list(each.certificates),
            }
            for each in seen
        ],
        "attention": [
            {"subject": each.subject, "message": each.message, "advice": each.advice}
            for each in wanted
        ],
    }
