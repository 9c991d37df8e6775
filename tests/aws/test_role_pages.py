"""The pages about role rules, followed to the letter against a sandbox."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from idp.cli.main import idp
from idp.entitlements.account import Account, Accounts
from idp.entitlements.rules_file import parse_rules
from tests.aws.installation import Installation

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("role-rules.md", "group-naming-patterns.md")


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_every_rule_of_the_page_is_one(page: str) -> None:
    accounts = Accounts([Account("111122223333", "dev", "aws", "ExampleIdP")])
    rules = blocks(page, "toml")
    assert rules
    for rule in rules:
        (read,) = parse_rules(
            rule.encode(), accounts, {"local": "local", "corp": "active_directory"}
        )
        assert read.name


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_the_page_works_as_written(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    monkeypatch.chdir(tmp_path)
    run(installation, "idp aws account add 111122223333 --alias dev")
    run(installation, "idp user add ann --no-password --group developers")
    printed = "".join(
        run(installation, line)
        for block in blocks(page, "sh")
        for line in commands_of(block, tmp_path)
    )
    if page == "role-rules.md":
        assert "ann (" in printed
        assert "dev\tDeveloper\tNO SUCH ROLE\trule developers-dev" in printed
    else:
        assert "+ one-account-and-a-prefix" in printed
        assert 'role = "ADFS-{role}"' in printed
        assert "+ okta" in printed


def commands_of(block: str, folder: Path) -> Iterator[str]:
    """The lines of a block of shell; the files that it writes with `cat` are there by then."""
    here = re.compile(r"^cat > (\S+) <<'END'\n(.*?)^END\n", re.DOTALL | re.MULTILINE)
    for name, text in here.findall(block):
        (folder / name).write_text(text)
    for line in here.sub("", block).splitlines():
        assert line.startswith("idp "), line
        yield line


def run(installation: Installation, line: str) -> str:
    """What an `idp ...` of the page prints, in this process; into a file after a ">"."""
    command, _, target = line.partition(" > ")
    words = shlex.split(command)[1:]
    result = CliRunner().invoke(idp, ["-c", str(installation.file), *words])
    allowed = (0, 1) if "--exit-code" in words else (0,)
    assert result.exit_code in allowed, (line, result.output, result.exception)
    if target:
        Path(target).write_text(result.stdout)
    return "" if target else result.stdout
