"""idp serve: the sign-in pages on a production server."""

from __future__ import annotations

import errno
import os
import socket

import click

from idp.cli.context import settings_from
from idp.cli.parent import end_with_parent
from idp.errors import IdpError
from idp.telemetry.shared_numbers import share_between_processes


@click.command()
@click.option("--with-parent", is_flag=True, hidden=True, help="End when standard input ends.")
@click.pass_context
def serve(context: click.Context, with_parent: bool) -> None:
    """Serve the sign-in pages. Ctrl-C or SIGTERM ends it after the running requests.

    SIGHUP reads the settings and the TLS certificate again without refusing a connection;
    settings that can't be used change nothing, and the log says what is wrong with them.

    \b
    Examples:
      idp check && idp serve
      IDP_SERVER__PORT=9000 idp serve
      kill -HUP $(pgrep -o -f 'idp serve')    reload; systemctl reload idp does the same
    """
    settings = settings_from(context)
    require_free(settings.server.host, settings.server.port)
    folder = settings.data_folder / "metrics" / str(settings.server.port)
    try:
        share_between_processes(folder)
    except OSError as problem:
        raise IdpError(
            f"The folder {folder} can't be made: {problem.strerror}.",
            "Set data_folder to a place where this user may write.",
        ) from None
    if config := context.find_root().params.get("config"):
        os.environ["IDP_CONFIG"] = str(config)

    # Only now: these import prometheus_client, which has to know by then where the numbers go.
    from idp.serving.server import Server, ignore_drain_signal, require_servable

    require_servable(settings)  # whatever is wrong shows here, as one sentence
    if with_parent:
        end_with_parent()
    ignore_drain_signal()
    Server(settings).run()


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
