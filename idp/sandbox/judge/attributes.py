"""The AWS attributes: their names, and Role, RoleSessionName, SessionDuration, SourceIdentity."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from lxml import etree

from idp.aws.arn import ProviderArn, RoleArn
from idp.errors import IdpError
from idp.sandbox.judge.check import INVALID_RESPONSE, AwsError, Notebook, Rule
from idp.sandbox.judge.names import ASSERTION, AWS_ATTRIBUTES, text_of
from idp.sandbox.judge.verdict import RolePair

KNOWN = ("Role", "RoleSessionName", "SessionDuration", "SourceIdentity", "TransitiveTagKeys")
TAG = "PrincipalTag:"
_SESSION_NAME = re.compile(r"[a-zA-Z_0-9+=,.@-]{2,64}")

RULES = (
    Rule(
        "attribute-statement",
        "The assertion has one AttributeStatement.",
        INVALID_RESPONSE,
        "Send the AWS attributes in one AttributeStatement.",
        confirmed=False,
    ),
    Rule(
        "attribute-names",
        "Names of AWS attributes are written exactly as AWS writes them, capitals included.",
        INVALID_RESPONSE,
        f"Compare the Name with {AWS_ATTRIBUTES}… letter by letter.",
        confirmed=False,
    ),
    Rule(
        "attribute-once",
        "No AWS attribute is there twice.",
        INVALID_RESPONSE,
        "Send one Attribute element for each name, with several values where that is allowed.",
        confirmed=False,
    ),
    Rule(
        "attribute-values",
        "Values of AWS attributes are plain text: no space around, no control characters.",
        INVALID_RESPONSE,
        "Write the value without line breaks or indentation inside AttributeValue.",
    ),
    Rule(
        "role",
        "There is a Role attribute with at least one value.",
        INVALID_RESPONSE,
        "Give the person at least one role: role ARN and provider ARN joined by a comma.",
    ),
    Rule(
        "role-pairs",
        "Each Role value is a role ARN and a SAML-provider ARN, joined by a comma.",
        INVALID_RESPONSE,
        "Write arn:aws:iam::111122223333:role/R,arn:aws:iam::111122223333:saml-provider/P.",
    ),
    Rule(
        "role-account",
        "Role and provider of a pair lie in the same account and partition.",
        INVALID_RESPONSE,
        "Name the provider object of the role's own account.",
        confirmed=False,
    ),
    Rule(
        "role-session-name",
        "There is a RoleSessionName attribute with exactly one value.",
        AwsError("InvalidIdentityToken", "RoleSessionName is required in AuthnResponse"),
        f"Send {AWS_ATTRIBUTES}RoleSessionName, for instance the user name.",
    ),
    Rule(
        "role-session-name-form",
        "RoleSessionName has 2 to 64 characters out of a-z A-Z 0-9 _ + = , . @ -",
        AwsError(
            "InvalidIdentityToken",
            "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}",
        ),
        "Derive it from an attribute without spaces and accents, such as the e-mail address.",
    ),
    Rule(
        "session-duration",
        "SessionDuration, if given, is one whole number from 900 to 43200 (seconds).",
        INVALID_RESPONSE,
        "Send whole seconds between 15 minutes and 12 hours, or leave it out.",
    ),
    Rule(
        "source-identity",
        "SourceIdentity, if given, has 2 to 64 of these characters and doesn't begin with aws:",
        AwsError(
            "InvalidIdentityToken",
            'Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with "aws:"',
        ),
        "Derive it from an attribute without spaces and accents, or leave it out.",
    ),
)

Attributes = Mapping[str, tuple[str, ...]]


def read_attributes(assertion: etree._Element, notebook: Notebook) -> dict[str, tuple[str, ...]]:
    """Every attribute's values by Name; the rules that hold for all AWS attributes are noted."""
    statements = assertion.findall(f"{ASSERTION}AttributeStatement")
    notebook.note("attribute-statement", len(statements) == 1, len(statements), "1")
    elements = assertion.findall(f"{ASSERTION}AttributeStatement/{ASSERTION}Attribute")
    found: dict[str, tuple[str, ...]] = {}
    repeated, misnamed, odd = [], [], []
    for element in elements:
        name = element.get("Name", "")
        values = element.findall(f"{ASSERTION}AttributeValue")
        texts = tuple(text_of(value) for value in values)
        if name.lower().startswith(AWS_ATTRIBUTES.lower()):
            if not _known(name):
                misnamed.append(name)
            if name in found:
                repeated.append(name)
            odd += [text for value, text in zip(values, texts, strict=True) if _odd(value, text)]
        found[name] = found.get(name, ()) + texts
    notebook.note(
        "attribute-names", not misnamed, ", ".join(misnamed) or "as AWS writes them", "exact names"
    )
    notebook.note("attribute-once", not repeated, ", ".join(repeated) or "each once", "each once")
    notebook.note(
        "attribute-values", not odd, " | ".join(map(repr, odd)) or "plain text", "plain text"
    )
    return found


def _known(name: str) -> bool:
    rest = name.removeprefix(AWS_ATTRIBUTES)
    return rest != name and (rest in KNOWN or rest.startswith(TAG))


def _odd(value: etree._Element, text: str) -> bool:
    controls = any(unicodedata.category(character) == "Cc" for character in text)
    return len(value) > 0 or text != text.strip() or controls


def read_roles(attributes: Attributes, notebook: Notebook) -> tuple[RolePair, ...]:
    """The pairs of the Role attribute, in the order sent; () unless all of them are sound."""
    values = attributes.get(f"{AWS_ATTRIBUTES}Role", ())
    if not notebook.note("role", bool(values), f"{len(values)} values", "at least one"):
        return ()
    pairs = {value: read_pair(value) for value in values}
    bad = [value for value, pair in pairs.items() if pair is None]
    if not notebook.note(
        "role-pairs",
        not bad,
        " | ".join(bad) or f"{len(values)} pairs",
        "role ARN, comma, provider ARN",
    ):
        return ()
    roles = tuple(pair for pair in pairs.values() if pair is not None)
    torn = [
        f"{pair.role} with {pair.provider}"
        for pair in roles
        if (pair.role.account, pair.role.partition)
        != (pair.provider.account, pair.provider.partition)
    ]
    notebook.note(
        "role-account", not torn, " | ".join(torn) or "the same", "same account and partition"
    )
    return roles


def read_pair(value: str) -> RolePair | None:
    """A Role value in either order (AWS's own guides show both), or None."""
    # A comma may be part of a role's name, so every comma is tried as the one between the two.
    for position in (index for index, character in enumerate(value) if character == ","):
        first, second = value[:position].strip(), value[position + 1 :].strip()
        for role, provider in ((first, second), (second, first)):
            try:
                return RolePair(RoleArn.parse(role), ProviderArn.parse(provider))
            except IdpError:
                continue
    return None


def read_session_name(attributes: Attributes, notebook: Notebook) -> str:
    """RoleSessionName, or nothing."""
    values = attributes.get(f"{AWS_ATTRIBUTES}RoleSessionName", ())
    if not notebook.note(
        "role-session-name",
        len(values) == 1,
        f"{len(values)} values",
        "one value",
    ):
        return ""
    name = values[0]
    notebook.note(
        "role-session-name-form",
        _SESSION_NAME.fullmatch(name) is not None,
        name,
        _SESSION_NAME.pattern,
    )
    return name


def read_duration(attributes: Attributes, notebook: Notebook) -> int | None:
    """SessionDuration in seconds, or None when it isn't given or is wrong."""
    values = attributes.get(f"{AWS_ATTRIBUTES}SessionDuration", ())
    sound = not values or (
        len(values) == 1
        and re.fullmatch(r"[0-9]{1,5}", values[0]) is not None
        and 900 <= int(values[0]) <= 43200
    )
    notebook.note("session-duration", sound, ", ".join(values) or "absent", "900 to 43200")
    return int(values[0]) if values and sound else None


def read_source_identity(attributes: Attributes, notebook: Notebook) -> str | None:
    """SourceIdentity, or None when it isn't given."""
    values = attributes.get(f"{AWS_ATTRIBUTES}SourceIdentity", ())
    sound = not values or (
        len(values) == 1
        and _SESSION_NAME.fullmatch(values[0]) is not None
        and not values[0].lower().startswith("aws:")
    )
    notebook.note("source-identity", sound, ", ".join(values) or "absent", _SESSION_NAME.pattern)
    return values[0] if values else None
