"""What machines ask: does the process live, is the node ready, and its numbers."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import cast
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, current_app, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from sqlalchemy import select

from idp import __version__
from idp.db.models import AuditHeadRow
from idp.keys.signing_key import KeyState
from idp.keys.store import all_keys
from idp.rotation.standing import Standing, standing_of
from idp.telemetry.metrics import Metrics
from idp.telemetry.readiness import Readiness
from idp.web.parts import parts

blueprint = Blueprint("health", __name__)

READINESS = "idp.readiness"
METRICS = "idp.metrics"
_SET_BY_PROXIES = ("X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Forwarded", "Via")


@blueprint.get("/healthz")
def lives() -> Response:
    """The process answers; nothing else is looked at."""
    return Response("ok\n", content_type="text/plain; charset=utf-8")


@blueprint.get("/readyz")
def ready() -> Response:
    """Each part's state, 503 unless all are usable; ?exclude=directories leaves that part out."""
    found = _readiness().report().by_kind(request.args.getlist("exclude"))
    states = {kind: "ok" if usable else "failing" for kind, usable in found.items()}
    response = jsonify(ready=all(found.values()), parts=states)
    response.status_code = 200 if all(found.values()) else 503
    return response


@blueprint.get("/metrics")
def metrics() -> Response:
    """The numbers, for whom server.metrics lets see them."""
    allowed = parts().settings.server.metrics
    if allowed == "off" or (allowed == "loopback" and not from_this_machine()):
        abort(404)
    own = cast(Metrics, current_app.extensions[METRICS])
    return Response(own.page(_state()), content_type=CONTENT_TYPE_LATEST)


def from_this_machine() -> bool:
    """Whether the request was made on this machine and came through no proxy."""
    if any(name in request.headers for name in _SET_BY_PROXIES):
        return False
    if _is_foreign(urlsplit(f"//{request.host}").hostname or ""):
        return False
    direct = request.environ.get("werkzeug.proxy_fix.orig", request.environ).get("REMOTE_ADDR", "")
    try:
        address = ipaddress.ip_address(direct)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _is_foreign(host: str) -> bool:
    """A name that is neither ours nor this machine's, but leads here.

    So a web page reads what its browser may reach (DNS rebinding). An address is no name.
    """
    ours = urlsplit(parts().settings.server.base_url).hostname
    if host in ("localhost", ours):
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False


def _readiness() -> Readiness:
    return cast(Readiness, current_app.extensions[READINESS])


def _state() -> Iterable[Metric]:
    report = _readiness().report()
    version = GaugeMetricFamily("idp_build_info", "The version that runs.", labels=["version"])
    version.add_metric([__version__], 1)
    yield version
    usable = GaugeMetricFamily(
        "idp_part_usable", "1 if all of this kind can be used.", labels=["part"]
    )
    for kind, value in report.by_kind().items():
        usable.add_metric([kind], value)
    yield usable
    directories = GaugeMetricFamily(
        "idp_directory_up", "1 if the directory answers.", labels=["directory"]
    )
    for part in report.parts:
        if part.kind == "directories":
            directories.add_metric([part.name], part.usable)
    yield directories
    if report.by_kind()["database"]:
        yield from _stored()


def _stored() -> Iterable[Metric]:
    own = parts()
    now = own.now()
    with own.database.reading() as session:
        keys = all_keys(session)
        head = session.scalar(select(AuditHeadRow.seq).where(AuditHeadRow.id == 1))
        rotation = standing_of(session, now)
    days = GaugeMetricFamily(
        "idp_signing_key_certificate_days_left",
        "Days until the certificate of a published key ends.",
        labels=["key", "state"],
    )
    age = GaugeMetricFamily(
        "idp_signing_key_active_days", "Days since the active key became active.", labels=["key"]
    )
    for key in keys:
        if key.state.published:
            left = key.certificate.not_valid_after_utc - now
            days.add_metric([key.id, key.state], round(left.total_seconds() / 86400, 3))
        if key.state is KeyState.ACTIVE and key.activated_at:
            since = now - key.activated_at
            age.add_metric([key.id], round(since.total_seconds() / 86400, 3))
    yield days
    yield age
    yield from _rotating(rotation)
    sequence = GaugeMetricFamily("idp_audit_head_seq", "Number of the audit trail's last row.")
    sequence.add_metric([], head or 0)
    yield sequence


def _rotating(rotation: Standing | None) -> Iterable[Metric]:
    under_way = GaugeMetricFamily(
        "idp_rotation_open", "1 while the signing key is being rotated, by phase.", labels=["phase"]
    )
    accounts = GaugeMetricFamily(
        "idp_rotation_accounts", "AWS accounts of the open rotation, by state.", labels=["state"]
    )
    if rotation:
        under_way.add_metric([rotation.report.rotation.phase], 1)
        for word, number in rotation.counted().items():
            accounts.add_metric([word.lower()], number)
    yield under_way
    yield accounts
    attention = GaugeMetricFamily(
        "idp_rotation_needs_attention", "1 if the open rotation does not go on by itself."
    )
    attention.add_metric([], bool(rotation and rotation.attention))
    yield attention
