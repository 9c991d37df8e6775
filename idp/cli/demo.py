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
from idp.demo.slapd import DemoSlapd
from idp.demo.supervisor import AskedToLeave, Supervisor
from idp.directory.configured import open_directories
from idp.entitlements.evaluate import evaluate
from idp.entitlements.store import Entitlements
from idp.errors import IdpError
from idp.keys.publication import publish_metadata
from idp.settings import DirectorySettings, Settings, load_settings


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
@click.option(
    "--directory",
    type=click.Choice(["local", "ldap"]),
    default="local",
    show_default=True,
    help="Where the people are: in our own database, or in an OpenLDAP server started for it.",
)
@click.option("--ldap-port", default=8636, show_default=True, help="Port of that server.")
def demo(port: int, sandbox_port: int, data: Path, directory: str, ldap_port: int) -> None:
    """Start a company's identity provider and a sandbox AWS, and tell how to try them.

    Everything listens on this machine alone. Ctrl-C ends it; what was written stays in the data
    folder for the next time.

    \b
    Examples:
      idp demo
      idp demo --port 9000 --sandbox-port 9001
      idp demo --directory ldap
    """
    if find_spec("moto") is None:
        raise IdpError("The sandbox is not installed.", "Run: pip install 'idp[sandbox]'")
    for taken in (port, sandbox_port):
        require_free("127.0.0.1", taken, option="--port or --sandbox-port")
    slapd = None
    if directory == "ldap":
        require_free("127.0.0.1", ldap_port, option="--ldap-port")
        data = data / "with-ldap"
        slapd = DemoSlapd(data / "ldap", ldap_port)
    require_writable(data)
    if slapd:
        slapd.prepare()
    file = data / "idp.toml"
    _write_settings(file, port, sandbox_port, data, slapd)
    environment = {"IDP_CONFIG": str(file)}
    settings = load_settings(file)
    prepare_company(settings, utc_now())
    try:
        with Supervisor() as supervisor:
            if slapd:
                supervisor.start_program("LDAP server", slapd.command(), {}, slapd.answers)
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


def _write_settings(
    file: Path, port: int, sandbox_port: int, data: Path, slapd: DemoSlapd | None
) -> None:
    """The settings of the demonstration, as a file that the command line can use as well."""
    document: dict[str, Any] = {
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
    if slapd:
        document["directories"] = [slapd.settings()]
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
        directories = open_directories(settings, database)
        granted = [evaluate(ruleset, person) for person in directories.people()]
        directories.close()
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
        *(f"  {each.kind} directory     {each.servers[0]}" for each in _elsewhere(settings)),
        f"  Data               {data}",
        f"  Command line       {_command()} -c {file} roles explain ann",
        "",
    ]


def _elsewhere(settings: Settings) -> list[DirectorySettings]:
    return [each for each in settings.directories if each.kind != "local"]


def _command() -> str:
    """How this very program is called from here."""
    beside = Path(sys.executable).parent / "idp"
    if not beside.exists():
        return "idp"
    return str(beside.relative_to(Path.cwd()) if beside.is_relative_to(Path.cwd()) else beside)
