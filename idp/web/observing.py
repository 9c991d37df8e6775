"""One log line and one number for every request."""

from __future__ import annotations

import logging
import time

from flask import Flask, Response, g, request

from idp.telemetry.metrics import Metrics

log = logging.getLogger("idp.request")

_PROBES = "health"  # the blueprint whose requests are asked every second, by machines


def observe_requests(app: Flask, metrics: Metrics) -> None:
    """Count and log each answer: with the names of query parameters, never with their values."""

    @app.before_request
    def _begin() -> None:
        g.began = time.perf_counter()

    @app.after_request
    def _end(response: Response) -> Response:
        metrics.answered(request.endpoint or "(none)", response.status_code)
        level = logging.DEBUG if request.blueprint == _PROBES else logging.INFO
        if log.isEnabledFor(level):
            fields = {
                "method": request.method,
                "path": request.script_root + request.path,
                "status": response.status_code,
                "milliseconds": round((time.perf_counter() - g.began) * 1000, 1),
                "request_id": g.request_id,
                "address": request.remote_addr or "",
            }
            if request.query_string:
                fields["query"] = sorted(request.args)[:20]
            log.log(level, "request", extra=fields)
        return response
