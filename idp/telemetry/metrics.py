"""The numbers that Prometheus reads, right over all worker processes of a server."""

from __future__ import annotations

import os
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from idp.telemetry.shared_numbers import FOLDER_VARIABLE

# Seconds. A warm assertion takes a few milliseconds, one behind a slow directory some seconds.
_ASSERTION_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """Counts what happens in this process; `page` shows the sum of all processes."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._http = Counter(
            "idp_http_requests",
            "Requests answered, by page and status.",
            ("endpoint", "status"),
            registry=self._registry,
        )
        self._events = Counter(
            "idp_audit_events",
            "Rows written to the audit trail.",
            ("type",),
            registry=self._registry,
        )
        self._sign_ins = Counter(
            "idp_sign_ins", "Sign-ins that succeeded.", registry=self._registry
        )
        self._sign_in_refusals = Counter(
            "idp_sign_in_refusals",
            "Sign-ins refused, by reason.",
            ("reason",),
            registry=self._registry,
        )
        self._assertions = Counter("idp_assertions", "Assertions issued.", registry=self._registry)
        self._assertion_refusals = Counter(
            "idp_assertion_refusals",
            "Assertions refused, by reason.",
            ("reason",),
            registry=self._registry,
        )
        self._assertion_seconds = Histogram(
            "idp_assertion_seconds",
            "From a chosen role to a signed and recorded assertion.",
            buckets=_ASSERTION_SECONDS,
            registry=self._registry,
        )

    def answered(self, endpoint: str, status: int) -> None:
        """Count one request."""
        self._http.labels(endpoint, str(status)).inc()

    def recorded(self, event_type: str) -> None:
        """Count one row of the audit trail."""
        self._events.labels(event_type).inc()

    def signed_in(self) -> None:
        """Count one sign-in."""
        self._sign_ins.inc()

    def sign_in_refused(self, reason: str) -> None:
        """Count one refusal; `reason` is the word of the audit row."""
        self._sign_in_refusals.labels(reason).inc()

    def assertion_issued(self) -> None:
        """Count one assertion."""
        self._assertions.inc()

    def assertion_refused(self, reason: str) -> None:
        """Count one refusal; `reason` is the name of the refusal's class."""
        self._assertion_refusals.labels(reason).inc()

    def assertion_took(self, seconds: float) -> None:
        """Note how long an assertion took."""
        self._assertion_seconds.observe(seconds)

    def page(self, state: Iterable[Metric]) -> bytes:
        """All numbers in Prometheus' text format, with `state` as it stands now."""
        registry = self._registry
        if os.environ.get(FOLDER_VARIABLE):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        now = CollectorRegistry()
        now.register(_Now(state))
        return generate_latest(registry) + generate_latest(now)


class _Now(Collector):
    """Gauges that were measured for this page."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def collect(self) -> Iterable[Metric]:
        """What was measured."""
        return self._metrics
