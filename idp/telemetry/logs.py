"""Log lines with fields on standard error: JSON for machines, or text for a terminal.

The code logs with Python's own `logging` and says the fields by `extra`. For people structlog
writes them; for machines a formatter of our own, because every request writes two lines.
"""

from __future__ import annotations

import json
import logging
import logging.config
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

from flask import g, has_request_context

from idp.settings import LogSettings

LONGEST_VALUE = 2000


def logging_config(settings: LogSettings) -> dict[str, Any]:
    """A configuration for logging.config.dictConfig; granian takes the same one for its lines."""
    level = settings.level.upper()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "fields": {"()": "idp.telemetry.logs.field_formatter", "kind": settings.format}
        },
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stderr",
                "formatter": "fields",
            }
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            "idp": {"level": level},
            "_granian": {"level": level, "handlers": [], "propagate": True},
        },
    }


def configure_logging(settings: LogSettings) -> None:
    """Let this process log as the settings say."""
    # Nothing of this stands in our lines, and to find it out takes half of what a line does.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.config.dictConfig(logging_config(settings))
    logging.captureWarnings(True)


def field_formatter(kind: str) -> logging.Formatter:
    """The formatter for `kind`, "json" or "console"."""
    if kind == "json":
        return JsonLines()
    import structlog  # it takes a tenth of the time that a server needs to start

    # The other renderers of structlog show local variables, and so passwords.
    plain = structlog.dev.plain_traceback
    return structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=plain),
        ],
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            _name_the_request,
            _printable,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
    )


class JsonLines(logging.Formatter):
    """Each record as a JSON object in one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Event, level and logger; then the fields, the time, and an exception's traceback."""
        fields: dict[str, Any] = {
            "event": record.getMessage(),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        fields.update(
            (name, value) for name, value in record.__dict__.items() if name not in _OF_ANY_RECORD
        )
        _name_the_request(None, "", fields)
        _printable(None, "", fields)
        fields["timestamp"] = _timestamp(record.created)
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            fields["stack"] = record.stack_info
        return _encode(fields)


_OF_ANY_RECORD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "taskName"}
_encode = json.JSONEncoder(check_circular=False, default=repr).encode


def _timestamp(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def printable(text: str) -> str:
    """Text from outside as a log line can hold it: cut, with everything invisible escaped."""
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1]
        for character in text[:LONGEST_VALUE]
    )


def _name_the_request(
    _logger: Any, _method: str, fields: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Every line that a request causes carries its identifier, whoever writes the line."""
    if "request_id" not in fields and has_request_context() and "request_id" in g:
        fields["request_id"] = g.request_id
    return fields


def _printable(
    _logger: Any, _method: str, fields: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for name, value in fields.items():
        if isinstance(value, str) and not (value.isprintable() and len(value) <= LONGEST_VALUE):
            fields[name] = printable(value)
    return fields
