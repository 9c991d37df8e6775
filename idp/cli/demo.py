"""idp demo: everything at once, on this machine alone."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import tomli_w
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
    file = data / "idp.toml"
    _write_settings(file, port, sandbox_port, data)
    environment = {"IDP_CONFIG": str(file)}
    settings = load_settings(file)
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
            _tell(settings, data, file)
            supervisor.wait()
    except AskedToLeave:
        click.echo("\nStopped. Everything that was written is in " + str(data) + ".")


def _write_settings(file: Path, port: int, sandbox_port: int, data: Path) -> None:
    """The settings of the demonstration, as a file that the command line can use as well."""
    document = {
        "organization": "Example Corp",
        "data_folder": str(data),
        "demo_people": [[person.username, person.password, person.shows] for person in PEOPLE],
        "server": {"base_url": f"http://127.0.0.1:{port}", "port": port},
        "keys": {"folder": str(data / "certs")},
        "aws": {
            "sandbox_url": f"http://127.0.0.1:{sandbox_port}",
            "source_identity": "{username}",
            "contact": "the platform team (platform@corp.example)",
        },
        "log": {"level": "warning"},
    }
    file.write_text(tomli_w.dumps(document), encoding="utf-8")


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


def _tell(settings: Settings, data: Path, file: Path) -> None:
    people = Table("User name", "Password", "Shows", box=None, pad_edge=False)
    for person in PEOPLE:
        people.add_row(person.username, person.password, person.shows)
    console = Console()
    for line in _lines(settings, data, file):
        console.print(line, highlight=False)
    console.print(people)
    console.print("\nCtrl-C ends it.", style="dim")


def _lines(settings: Settings, data: Path, file: Path) -> list[Any]:
    return [
        "",
        f"  Sign in            [bold]{settings.server.base_url}[/]",
        f"  For IAM admins     {settings.server.base_url}/for-admins",
        f"  The sandbox AWS    {settings.aws.sandbox_url}",
        f"  Data               {data}",
        f"  Command line       {_command()} -c {file} roles explain ann",
        "",
    ]


def _command() -> str:
    """How this very program is called from here."""
    beside = Path(sys.executable).parent / "idp"
    if not beside.exists():
        return "idp"
    return str(beside.relative_to(Path.cwd()) if beside.is_relative_to(Path.cwd()) else beside)
