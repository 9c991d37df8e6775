"""idp demo: everything at once, on this machine alone."""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from idp.audit.log import utc_now
from idp.cli.serve import require_free
from idp.db.engine import Database
from idp.demo.accounts import ACCOUNTS
from idp.demo.company import prepare_company
from idp.demo.people import PEOPLE
from idp.demo.sandbox_accounts import register_accounts
from idp.demo.supervisor import AskedToLeave, Supervisor
from idp.directory.local import LocalDirectory
from idp.directory.passwords import Passwords
from idp.entitlements.evaluate import evaluate
from idp.entitlements.store import Entitlements
from idp.errors import IdpError
from idp.keys.publication import publish_metadata
from idp.settings import Settings, load_settings


@click.command()
@click.option("--port", default=8080, show_default=True, help="Port of the sign-in pages.")
@click.option("--sandbox-port", default=8081, show_default=True, help="Port of the sandbox AWS.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path("var"),
    show_default=True,
    help="Folder for all that is written.",
)
def demo(port: int, sandbox_port: int, data: Path) -> None:
    """Start a company's identity provider and a sandbox AWS, and tell how to try them.

    Everything listens on this machine alone. Ctrl-C ends it; what was written stays in the data
    folder for the next time.

    \b
    Examples:
      idp demo
      idp demo --port 9000 --sandbox-port 9001
    """
    if find_spec("moto") is None:
        raise IdpError("The sandbox is not installed.", "Run: pip install 'idp[sandbox]'")
    for taken in (port, sandbox_port):
        require_free("127.0.0.1", taken, option="--port or --sandbox-port")
    require_writable(data)
    environment = _environment(port, sandbox_port, data)
    os.environ.update(environment)
    settings = load_settings()
    prepare_company(settings, utc_now())
    try:
        with Supervisor() as supervisor:
            sandbox = settings.aws.sandbox_url
            supervisor.start(
                "sandbox",
                ["sandbox", "--quiet", "--port", str(sandbox_port)],
                environment,
                f"{sandbox}/",
            )
            _register(settings)
            base_url = settings.server.base_url
            supervisor.start("identity provider", ["serve"], environment, f"{base_url}/sign-in")
            _tell(settings, data)
            supervisor.wait()
    except AskedToLeave:
        click.echo("\nStopped. Everything that was written is in " + str(data) + ".")


def _environment(port: int, sandbox_port: int, data: Path) -> dict[str, str]:
    people = [(person.username, person.password, person.shows) for person in PEOPLE]
    return {
        "IDP_ORGANIZATION": "Example Corp",
        "IDP_DATA_FOLDER": str(data),
        "IDP_KEYS__FOLDER": str(data / "certs"),
        "IDP_SERVER__BASE_URL": f"http://127.0.0.1:{port}",
        "IDP_SERVER__PORT": str(port),
        "IDP_AWS__SANDBOX_URL": f"http://127.0.0.1:{sandbox_port}",
        "IDP_AWS__SOURCE_IDENTITY": "{username}",
        "IDP_AWS__CONTACT": "the platform team (platform@corp.example)",
        "IDP_LOG__LEVEL": "warning",
        "IDP_DEMO_PEOPLE": json.dumps(people),
    }


def require_writable(folder: Path) -> None:
    """Raise IdpError, with a sentence, unless files can be written in `folder`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as problem:
        raise IdpError(
            f"Nothing can be written in the folder {folder}: {problem.strerror}.",
            "Choose another one: idp demo --data FOLDER",
        ) from None


def _register(settings: Settings) -> None:
    database = Database(settings.database_url)
    try:
        with database.reading() as session:
            metadata = publish_metadata(session, settings, utc_now())
            ruleset = Entitlements(database).ruleset(session)
        directory = LocalDirectory(database, Passwords(settings.sign_in))
        granted = [evaluate(ruleset, person) for person in directory.people()]
    finally:
        database.close()
    roles = {grant.role for found in granted for grant in found.grants}
    roles |= {problem.role for found in granted for problem in found.problems}
    register_accounts(settings.aws.sandbox_url, metadata.xml, ACCOUNTS, roles)


def _tell(settings: Settings, data: Path) -> None:
    people = Table("User name", "Password", "Shows", box=None, pad_edge=False)
    for person in PEOPLE:
        people.add_row(person.username, person.password, person.shows)
    console = Console()
    for line in _lines(settings, data):
        console.print(line, highlight=False)
    console.print(people)
    console.print("\nCtrl-C ends it.", style="dim")


def _lines(settings: Settings, data: Path) -> list[Any]:
    return [
        "",
        f"  Sign in            [bold]{settings.server.base_url}[/]",
        f"  For IAM admins     {settings.server.base_url}/for-admins",
        f"  The sandbox AWS    {settings.aws.sandbox_url}",
        f"  Data               {data}",
        "",
    ]
