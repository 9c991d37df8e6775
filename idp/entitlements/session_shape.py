"""How a rule's sessions look for one person: length, tags and names, from its templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from idp.aws.limits import (
    RefusedByAws,
    check_session_name,
    check_source_identity,
    check_tag_value,
)
from idp.directory.person import Person
from idp.entitlements.compiled_rule import CompiledRule
from idp.entitlements.duration import BadDuration, parse_session_length
from idp.entitlements.template import MissingAttribute, Template
from idp.errors import IdpError


@dataclass(frozen=True, slots=True)
class SessionShape:
    """`duration` in seconds; the names are None where the settings' templates decide."""

    duration: int
    tags: Mapping[str, str]
    session_name: str | None
    source_identity: str | None


class NoSuchSession(IdpError):
    """A session can't be made as the rule asks, or AWS would refuse it."""


def session_shape(compiled: CompiledRule, person: Person) -> SessionShape:
    """Fill in the rule's templates. Raises NoSuchSession naming the first that can't be."""
    rule = compiled.rule
    duration = rule.duration if isinstance(rule.duration, int) else 0
    if not compiled.has_templates:
        return SessionShape(duration, {}, None, None)
    tags = {
        key: _filled(f"The session tag {key}", template, person, partial(check_tag_value, key))
        for key, template in compiled.templates.items()
    }
    if compiled.duration:
        text = _filled("The session's duration", compiled.duration, person, parse_session_length)
        duration = parse_session_length(text)
    name, identity = compiled.session_name, compiled.source_identity
    return SessionShape(
        duration,
        tags,
        _filled("The RoleSessionName", name, person, check_session_name) if name else None,
        _filled("The SourceIdentity", identity, person, check_source_identity)
        if identity
        else None,
    )


def _filled(what: str, template: Template, person: Person, check: Callable[[str], object]) -> str:
    try:
        text = template.render(person)
        check(text)
    except MissingAttribute as problem:
        raise NoSuchSession(f"{what} can't be made: {problem.message}", problem.advice) from None
    except (RefusedByAws, BadDuration) as problem:
        raise NoSuchSession(_blaming(template.attributes, problem), problem.advice) from None
    return text


def _blaming(attributes: tuple[str, ...], problem: IdpError) -> str:
    if not attributes:
        return problem.message
    plural = "attributes" if len(attributes) > 1 else "attribute"
    return f"{problem.message} (From the {plural} {', '.join(attributes)}.)"
