"""`idp sandbox`: an AWS on loopback."""

from __future__ import annotations

import logging
import signal
import sys
from threading import Thread
from types import FrameType

import click

from idp.cli.parent import end_with_parent


@click.command(short_help="An AWS on loopback that refuses what AWS refuses.")
@click.option("--port", default=8081, show_default=True, type=click.IntRange(0, 65535))
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address.")
@click.option("--with-parent", is_flag=True, help="End when standard input ends.")
@click.option("--quiet", is_flag=True, help="Neither greet nor log requests.")
def sandbox(port: int, host: str, with_parent: bool, quiet: bool) -> None:
    """Run an AWS on this computer: sign-in endpoints, STS, IAM, S3 and KMS.

    It takes SAML responses and refuses what AWS refuses, in AWS's own words. Nothing in it is
    real, all of it is forgotten when it ends, and it listens on loopback only. An access key that
    is a 12-digit number is the administrator of that account.

    \b
    Example:
      idp sandbox --port 8081
      export AWS_ENDPOINT_URL=http://127.0.0.1:8081 AWS_DEFAULT_REGION=us-east-1
      export AWS_ACCESS_KEY_ID=111122223333 AWS_SECRET_ACCESS_KEY=any
      aws iam create-saml-provider --name ExampleIdP --saml-metadata-document file://idp.xml
    """
    from idp.sandbox.server import open_sandbox

    logging.basicConfig(
        stream=sys.stderr,
        level=logging.WARNING if quiet else logging.INFO,
        format="%(asctime)s %(message)s",
        datefmt="%H:%M:%S",
    )
    server, address = open_sandbox(host, port)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        # shutdown() waits for serve_forever(), which runs in this very thread.
        Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if with_parent:
        end_with_parent()
    if not quiet:
        click.echo(_greeting(address))
    try:
        server.serve_forever()
    finally:
        server.server_close()


def _greeting(address: str) -> str:
    return f"""\
Sandbox AWS at {address} (a stand-in, nothing here is real)
  sign-in endpoint  {address}/saml
  metadata          {address}/static/saml-metadata.xml
  AWS CLI, boto3    export AWS_ENDPOINT_URL={address} AWS_DEFAULT_REGION=us-east-1
  administrator     export AWS_ACCESS_KEY_ID=111122223333 AWS_SECRET_ACCESS_KEY=any
Ctrl-C ends it."""
