"""AWS's limits on what an assertion says, checked before anything is signed.

Source: IAM User Guide, "Configure SAML assertions for the authentication response" and "Pass
session tags in AWS STS"; STS API reference, AssumeRoleWithSAML.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache

from idp.errors import IdpError

SESSION_TAGS = 50
SHORTEST_SESSION, LONGEST_SESSION = 900, 43_200  # seconds
ASSERTION_CHARACTERS = 100_000  # of base64, in the parameter SAMLAssertion

_NAME = re.compile(r"[a-zA-Z_0-9+=,.@-]{2,64}")
_PLAIN = re.compile(r"[A-Za-z0-9_.:/=+@ -]*")  # most tags, told at a glance
_TAG_PUNCTUATION = frozenset("_.:/=+-@")


class RefusedByAws(IdpError):
    """AWS would refuse this value, so it is not signed."""


def check_session_name(value: str) -> None:
    """RoleSessionName: 2 to 64 of A-Z a-z 0-9 _ + = , . @ -. Raises RefusedByAws."""
    _check_name("RoleSessionName", value)


def check_source_identity(value: str) -> None:
    """SourceIdentity: as RoleSessionName, and not beginning with aws:. Raises RefusedByAws."""
    _check_name("SourceIdentity", value)
    if value.lower().startswith("aws:"):
        raise RefusedByAws(f"SourceIdentity {value!r} begins with 'aws:', which AWS reserves.")


def check_duration(seconds: int) -> None:
    """SessionDuration: 900 to 43,200 seconds. Raises RefusedByAws."""
    if not SHORTEST_SESSION <= seconds <= LONGEST_SESSION:
        raise RefusedByAws(
            f"SessionDuration {seconds} is outside AWS's {SHORTEST_SESSION} to {LONGEST_SESSION} "
            "seconds (15 minutes to 12 hours)."
        )


def check_tag_key(key: str) -> None:
    """A session tag's key: 1 to 128 letters, digits, spaces and _.:/=+-@. Raises RefusedByAws."""
    if not 1 <= len(key) <= 128:
        raise RefusedByAws(
            f"The tag key {_shown(key)} has {len(key)} characters; AWS takes 1 to 128."
        )
    _check_tag_characters("key", key, key)


def check_tag_value(key: str, value: str) -> None:
    """A session tag's value: up to 256 of the same characters. Raises RefusedByAws."""
    if len(value) > 256:
        raise RefusedByAws(
            f"The value {_shown(value)} of tag {key!r} has {len(value)} characters; "
            "AWS takes up to 256."
        )
    _check_tag_characters("value", key, value)


def check_tags(tags: Mapping[str, str], transitive: Sequence[str]) -> None:
    """All session tags of one assertion: up to 50, keys different whatever their case.

    Every transitive key must be one of the tags. Raises RefusedByAws.
    """
    if len(tags) > SESSION_TAGS:
        raise RefusedByAws(f"There are {len(tags)} session tags; AWS takes up to {SESSION_TAGS}.")
    seen: dict[str, str] = {}
    for key, value in tags.items():
        check_tag_key(key)
        check_tag_value(key, value)
        if (other := seen.setdefault(key.lower(), key)) != key:
            raise RefusedByAws(f"The tag keys {other!r} and {key!r} are the same to AWS.")
    for key in transitive:
        if key not in tags:
            raise RefusedByAws(f"{key!r} is to be transitive but is none of the session tags.")


def _check_name(attribute: str, value: str) -> None:
    if not _NAME.fullmatch(value):
        raise RefusedByAws(
            f"{attribute} {_shown(value)} is not 2 to 64 of the characters "
            "A-Z a-z 0-9 _ + = , . @ - (AWS's rule for it)."
        )


def _check_tag_characters(part: str, key: str, text: str) -> None:
    wrong = _wrong_with(text)
    if wrong:
        of_tag = f" of tag {key!r}" if part == "value" else ""
        name = "value" if part == "value" else "tag key"
        raise RefusedByAws(f"The {name} {_shown(text)}{of_tag} {wrong}")


@lru_cache(maxsize=2048)  # a company's tags say the same again and again
def _wrong_with(text: str) -> str:
    """What AWS would not take in a tag's key or value; "" for nothing."""
    for character in "" if _PLAIN.fullmatch(text) else text:
        if character not in _TAG_PUNCTUATION and unicodedata.category(character)[0] not in "LNZ":
            return f"contains {character!r}; AWS takes letters, digits, spaces and _.:/=+-@."
    if text != text.strip():
        return "begins or ends with a space, which AWS refuses in assertions."
    if text[:4].lower() == "aws:":
        return "begins with 'aws:', which AWS reserves."
    return ""


def _shown(value: str) -> str:
    return repr(value if len(value) <= 80 else value[:77] + "...")
