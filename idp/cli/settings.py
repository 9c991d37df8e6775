"""idp settings: every setting, its value, its default and what it means."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, get_args, get_origin

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from idp.cli.context import settings_from
from idp.settings import Section, Settings


@dataclass(frozen=True, slots=True)
class Line:
    """One setting. `name` is as in idp.toml, `variable` its environment variable."""

    name: str
    variable: str
    value: str
    default: str
    choices: str
    description: str


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--markdown", is_flag=True, help="Print the reference page, without values.")
@click.pass_context
def settings(context: click.Context, as_json: bool, markdown: bool) -> None:
    """Show every setting: its value now, its default, and what it means.

    A password in the database's address is not shown.

    \b
    Examples:
      idp settings
      idp -c /etc/idp/idp.toml settings --json
    """
    if markdown:
        click.echo(reference(), nl=False)
        return
    lines = list(_lines(settings_from(context)))
    if as_json:
        click.echo(json.dumps([asdict(line) for line in lines], indent=2))
        return
    width = max(len(line.name) for line in lines)
    for line in lines:
        changed = "" if line.value == line.default else f"   (default: {line.default})"
        click.echo(f"{line.name:<{width}}  {line.value}{changed}")


def reference() -> str:
    """The page docs/settings.md, made from the settings themselves."""
    text = [
        "# Settings",
        "",
        "Settings come from `idp.toml` (or the file named by `idp -c FILE` or `IDP_CONFIG`), and",
        "from environment variables, which win: `server.port` is `IDP_SERVER__PORT`. Lists are",
        "written as JSON there. An unknown name is an error. `idp settings` shows the values in",
        "force, `idp check` says what is wrong with them. This page is made by",
        "`idp settings --markdown`.",
    ]
    section = None
    for line in _reference_lines():
        table = line.name.rpartition(".")[0]
        if table != section:
            section = table
            text += [
                "",
                f"## {_heading(table)}",
                "",
                "| Setting | Default | Meaning |",
                "|---|---|---|",
            ]
        meaning = line.description + (f" One of {line.choices}." if line.choices else "")
        default = f"`{line.default}`" if line.default else "empty"
        text.append(f"| `{line.name}` | {default} | {meaning} |")
    return "\n".join(text) + "\n"


def _heading(table: str) -> str:
    if not table:
        return "General"
    model: Any = Settings
    for name in table.removesuffix("[]").split("."):
        field = model.model_fields[name]
        model = _listed_section(field) or field.annotation
    summary = (model.__doc__ or "").partition(": ")[2].split("\n")[0]
    shown = f"[[{table.removesuffix('[]')}]]" if table.endswith("[]") else f"[{table}]"
    return f"{shown} {summary[:1].upper()}{summary[1:].rstrip('.')}"


def _reference_lines() -> Iterator[Line]:
    """Every setting once, the settings of a list's tables too."""
    plain = Settings.model_construct()
    lists = {name for name, field in Settings.model_fields.items() if _listed_section(field)}
    for line in _lines(plain):
        if line.name.partition("[")[0] not in lists:
            yield line
    for name, field in Settings.model_fields.items():
        if section := _listed_section(field):
            for inner, inner_field in section.model_fields.items():
                yield _line(f"{name}[].{inner}", inner_field, inner_field.default)


def _lines(found: BaseModel, table: str = "") -> Iterator[Line]:
    fields = type(found).model_fields.items()
    for name, field in fields:
        if not _is_section(field) and not _listed_section(field):
            yield _line(table + name, field, getattr(found, name))
    for name, field in fields:
        if _is_section(field):
            yield from _lines(getattr(found, name), f"{table}{name}.")
    for name, field in fields:
        if _listed_section(field):
            sections = getattr(found, name)
            for number, section in enumerate(sections):
                yield from _lines(section, f"{table}{name}[{number}].")
            if not sections:
                yield _line(table + name, field, sections)


def _is_section(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, Section)


def _listed_section(field: FieldInfo) -> type[Section] | None:
    """The model of a list of tables, like [[directories]]; None for any other setting."""
    for inner in get_args(field.annotation):
        if isinstance(inner, type) and issubclass(inner, Section):
            return inner
    return None


def _line(name: str, field: FieldInfo, value: Any) -> Line:
    choices = [str(choice) for choice in get_args(field.annotation) if choice is not type(None)]
    is_choice = get_origin(field.annotation) is not tuple and not any("<" in c for c in choices)
    return Line(
        name,
        "IDP_" + name.upper().partition("[")[0].replace(".", "__"),
        _shown(name, value),
        _shown(name, field.default),
        ", ".join(f"`{choice}`" for choice in choices) if is_choice and choices else "",
        field.description or "",
    )


def _shown(name: str, value: Any) -> str:
    if name == "database.url" and value:
        try:
            return make_url(value).render_as_string(hide_password=True)
        except (ArgumentError, ValueError):
            return "(not an address)"
    if isinstance(value, tuple | dict):
        return json.dumps(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    return str(value)
