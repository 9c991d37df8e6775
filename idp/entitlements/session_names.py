"""The names that people would have in AWS: which it would refuse, and which two would share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from idp.aws.limits import check_session_name, check_source_identity
from idp.directory.person import Person
from idp.entitlements.evaluate import Grants
from idp.entitlements.grant import Grant
from idp.entitlements.template import Template
from idp.errors import IdpError

Owner = tuple[str, str]  # directory, and the identifier that never changes there


@dataclass(slots=True)
class SharedNames:
    """One kind of name, like "RoleSessionName", over all people that are looked at.

    `template` makes it where a rule does not; None: then there is none. `held` are the owners of
    the names that have been given for good already, by name in lower case (case-folded), each with
    words for them. AWS's logs tell people apart by these names, so names that differ only in case
    count as one.
    """

    kind: str
    template: Template | None
    check: Callable[[str], None]
    of_grant: Callable[[Grant], str | None]
    held: Mapping[str, tuple[Owner, str]] = field(default_factory=dict)
    seen: dict[str, tuple[Owner, str]] = field(default_factory=dict)

    def problem(self, person: Person, grants: Iterable[Grant]) -> str:
        """What is wrong with this person's names, as sentences; empty if nothing is."""
        given = {self.of_grant(grant) for grant in grants}
        found = [self._share(person, name) for name in sorted(filter(None, given))]
        if None in given and self.template:
            found.append(self._from_template(self.template, person))
        return " ".join(filter(None, found))

    def _from_template(self, template: Template, person: Person) -> str:
        try:
            name = template.render(person)
            self.check(name)
        except IdpError as problem:
            return str(problem)
        return self._share(person, name)

    def _share(self, person: Person, name: str) -> str:
        owner, key = (person.directory, person.directory_id), name.casefold()
        holder, words = self.held.get(key, (owner, ""))
        if holder != owner:
            return f"{self.kind} {name!r} belongs to {words} already."
        first, words = self.seen.setdefault(key, (owner, person.username))
        if first == owner:
            return ""
        return f"{self.kind} {name!r} would be the same as that of {words}."


@dataclass(slots=True)
class NamesInAws:
    """Both names of everyone who gets a role."""

    session_names: SharedNames
    source_identities: SharedNames

    @classmethod
    def of(
        cls,
        role_session_name: str,
        source_identity: str = "",
        held_session_names: Mapping[str, tuple[Owner, str]] | None = None,
        held_source_identities: Mapping[str, tuple[Owner, str]] | None = None,
    ) -> NamesInAws:
        """From the templates of the settings, and the names that are held. Raises BadTemplate."""
        return cls(
            SharedNames(
                "RoleSessionName",
                Template.parse(role_session_name),
                check_session_name,
                lambda grant: grant.session_name,
                held_session_names or {},
            ),
            SharedNames(
                "SourceIdentity",
                Template.parse(source_identity) if source_identity else None,
                check_source_identity,
                lambda grant: grant.source_identity,
                held_source_identities or {},
            ),
        )

    def problems(self, person: Person, grants: Grants) -> tuple[str, str]:
        """What is wrong with the RoleSessionName and the SourceIdentity; empty where nothing is."""
        if not grants.grants:
            return "", ""
        return (
            self.session_names.problem(person, grants.grants),
            self.source_identities.problem(person, grants.grants),
        )
