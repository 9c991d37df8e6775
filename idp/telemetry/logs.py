"""Log lines with fields on standard error: JSON for machines, or text for a terminal.

The code logs with Python's own `logging` and says the fields by `extra`; structlog writes them.
"""

from __future__ import annotations

import logging
import logging.config
from collections.abc import MutableMapping
from typing import Any

import structlog
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
    logging.config.dictConfig(logging_config(settings))
    logging.captureWarnings(True)


def field_formatter(kind: str) -> logging.Formatter:
    """The formatter for `kind`, "json" or "console"."""
    processors: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if kind == "json":
        processors += [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    else:
        # The other renderers of structlog show local variables, and so passwords.
        plain = structlog.dev.plain_traceback
        processors += [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=plain)]
    return structlog.stdlib.ProcessorFormatter(
        processors=processors,
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            _name_the_request,
            _printable,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
    )


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
    if has_request_context() and "request_id" in g:
        fields.setdefault("request_id", g.request_id)
    return fields


def _printable(
    _logger: Any, _method: str, fields: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for name, value in fields.items():
        if isinstance(value, str) and not (value.isprintable() and len(value) <= LONGEST_VALUE):
            fields[name] = printable(value)
    return fields
