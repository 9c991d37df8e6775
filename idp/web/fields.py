"""Reading what a browser sent: each field once, of a bounded length, without control characters."""

from __future__ import annotations

from flask import request
from werkzeug.datastructures import MultiDict

from idp.errors import IdpError


class BadField(IdpError):
    """A form field or query parameter can't be used as it was sent."""


def form_field(name: str, *, longest: int, verbatim: bool = False) -> str:
    """The form field `name`, "" if it is missing. Raises BadField.

    `verbatim` lets any character through, for passwords.
    """
    return _one(request.form, name, longest, verbatim)


def query_field(name: str, *, longest: int) -> str:
    """The query parameter `name`, "" if it is missing. Raises BadField."""
    return _one(request.args, name, longest, verbatim=False)


def _one(values: MultiDict[str, str], name: str, longest: int, verbatim: bool) -> str:
    found = values.getlist(name)
    if len(found) > 1:
        raise BadField(f"The field {name!r} was sent {len(found)} times.", "Send it once.")
    value = found[0] if found else ""
    if len(value) > longest:
        raise BadField(
            f"The field {name!r} has {len(value):,} characters; {longest:,} is the most we take."
        )
    if not verbatim and not value.isprintable():
        raise BadField(f"The field {name!r} holds control characters.", "Send it without them.")
    return value
