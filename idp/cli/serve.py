"""idp serve: the sign-in pages on a production server."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

import click
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from idp.app import create_app
from idp.cli.context import settings_from
from idp.cli.parent import end_with_parent
from idp.errors import IdpError
from idp.settings import Settings


@click.command()
@click.option("--with-parent", is_flag=True, hidden=True, help="End when standard input ends.")
@click.pass_context
def serve(context: click.Context, with_parent: bool) -> None:
    """Serve the sign-in pages. Ctrl-C or SIGTERM ends it after the running requests.

    \b
    Examples:
      idp check && idp serve
      IDP_SERVER__PORT=9000 idp serve
    """
    settings = settings_from(context)
    application = create_app(settings)  # whatever is wrong shows here, as one sentence
    application.extensions["idp"].database.close()
    require_free(settings.server.host, settings.server.port)
    if with_parent:
        end_with_parent()
    if config := context.find_root().params.get("config"):
        os.environ["IDP_CONFIG"] = str(config)
    _server(settings).serve()


def _server(settings: Settings) -> Any:
    return Granian(
        target="idp.app:create_app",
        factory=True,
        address=settings.server.host,
        port=settings.server.port,
        interface=Interfaces.WSGI,
        workers=settings.server.workers or os.cpu_count() or 1,
        blocking_threads=settings.server.threads,
        websockets=False,
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
        workers_kill_timeout=10,
    )


def require_free(host: str, port: int, *, option: str = "IDP_SERVER__PORT") -> None:
    """Raise IdpError, with a sentence, if nothing can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as problem:
            if problem.errno == errno.EADDRINUSE:
                raise IdpError(
                    f"Port {port} on {host} is taken by another program.",
                    f"End that program, or choose another port with {option}.",
                ) from None
            raise IdpError(
                f"Nothing can listen on {host}, port {port}: {problem.strerror}.",
                "Set server.host and server.port to an address of this machine.",
            ) from None
