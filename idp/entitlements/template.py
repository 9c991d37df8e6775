"""Text with a person's attributes in it: {department}, {cost_center|default:none}; no code."""

from __future__ import annotations

import re
from dataclasses import dataclass

from idp.directory.person import Person
from idp.errors import IdpError

LONGEST_TEMPLATE = 1024

_PIECE = re.compile(
    r"(?P<brace>\{\{|\}\})"
    r"|\{(?P<name>[^{}|]*)(?:\|(?P<option>[^{}]*))?\}"
    r"|(?P<text>[^{}]+)"
)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.;-]{0,127}")
_DEFAULT = "default:"


OF_EVERYBODY = frozenset(("username", "display_name", "email", "directory", "mail"))


class BadTemplate(IdpError):
    """Text that is not a template."""


class MissingAttribute(IdpError):
    """A person has no value for an attribute that a template needs."""

    def __init__(self, attribute: str, message: str, advice: str) -> None:
        super().__init__(message, advice)
        self.attribute = attribute


class AmbiguousAttribute(MissingAttribute):
    """A person has several different values where a template needs one."""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One {name}; `default` is None if the attribute has to be there."""

    name: str
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template. `text` is as it was written, `pieces` are literal text and placeholders.

    Names are `username`, `display_name`, `email`, `directory`, and those of the person's
    attributes in lower case; the four first ones come before an attribute of the same name.
    `mail` is the e-mail address of whoever has no attribute of that name.
    """

    text: str
    pieces: tuple[str | Placeholder, ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Read a template; {{ and }} stand for braces. Raises BadTemplate."""
        if len(text) > LONGEST_TEMPLATE:
            raise BadTemplate(
                f"A template of {len(text):,} characters is too long.",
                f"Write at most {LONGEST_TEMPLATE:,}.",
            )
        pieces: list[str | Placeholder] = []
        position = 0
        while position < len(text):
            match = _PIECE.match(text, position)
            if not match:
                raise BadTemplate(
                    f"{text!r} has a brace without its partner at character {position + 1}.",
                    "Write {name} for an attribute, {{ and }} for braces.",
                )
            pieces.append(_piece(text, match))
            position = match.end()
        return cls(text, tuple(pieces))

    @property
    def is_literal(self) -> bool:
        """Whether it renders the same for everyone."""
        return all(isinstance(piece, str) for piece in self.pieces)

    @property
    def attributes(self) -> tuple[str, ...]:
        """The names that it asks for."""
        return tuple(piece.name for piece in self.pieces if isinstance(piece, Placeholder))

    def fixed_texts(self) -> tuple[str, ...]:
        """What can be checked before there is a person: the whole text, if it is the same for all.

        Of a template that is one placeholder alone, that is its default.
        """
        if self.is_literal:
            return ("".join(piece for piece in self.pieces if isinstance(piece, str)),)
        if len(self.pieces) == 1 and isinstance(self.pieces[0], Placeholder):
            default = self.pieces[0].default
            return () if default is None else (default,)
        return ()

    def render(self, person: Person) -> str:
        """The text for `person`.

        An attribute without a value, or with empty ones only, takes its default.
        Raises MissingAttribute without a default, AmbiguousAttribute (a MissingAttribute) for
        several different values.
        """
        if len(self.pieces) == 1 and isinstance(self.pieces[0], str):
            return self.pieces[0]
        return "".join(
            piece if isinstance(piece, str) else self._fill(piece, person) for piece in self.pieces
        )

    def _fill(self, placeholder: Placeholder, person: Person) -> str:
        values = list(dict.fromkeys(value for value in _values(person, placeholder.name) if value))
        if len(values) > 1:
            raise AmbiguousAttribute(
                placeholder.name,
                f"{person.username} has {len(values)} different values for the attribute "
                f"{placeholder.name}, and the template {self.text!r} needs exactly one.",
                "Leave one value in the directory, or use another attribute.",
            )
        if values:
            return values[0]
        if placeholder.default is not None:
            return placeholder.default
        raise MissingAttribute(
            placeholder.name,
            f"{person.username} has no attribute {placeholder.name}, "
            f"which the template {self.text!r} needs.",
            f"Set it in the directory, or write {{{placeholder.name}|default:...}}.",
        )


def _values(person: Person, name: str) -> tuple[str, ...]:
    match name:
        case "username":
            return (person.username,)
        case "display_name":
            return (person.display_name,)
        case "email":
            return (person.email or "",)
        case "directory":
            return (person.directory,)
        case "mail":
            return tuple(person.attributes.get(name, ())) or (person.email or "",)
        case _:
            return tuple(person.attributes.get(name, ()))


def _piece(text: str, match: re.Match[str]) -> str | Placeholder:
    if match["brace"]:
        return match["brace"][0]
    if match["text"]:
        return match["text"]
    name, option = match["name"].strip(), match["option"]
    if not _NAME.fullmatch(name):
        raise BadTemplate(
            f"{text!r} asks for the attribute {name!r}, which can't be a name.",
            "Write letters, digits, '_', '-', '.' or ';' between the braces, like {department}.",
        )
    if option is None:
        return Placeholder(name.lower())
    if not option.startswith(_DEFAULT):
        raise BadTemplate(
            f"{text!r} has {option!r} after the bar, and only {_DEFAULT!r} is known.",
            f"Write {{{name}|default:text}}.",
        )
    return Placeholder(name.lower(), option.removeprefix(_DEFAULT))
