"""Session tags: PrincipalTag:* and TransitiveTagKeys."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping

from idp.sandbox.judge.attributes import TAG
from idp.sandbox.judge.check import INVALID_RESPONSE, Notebook, Rule
from idp.sandbox.judge.names import AWS_ATTRIBUTES

MOST_TAGS, LONGEST_KEY, LONGEST_VALUE = 50, 128, 256
_PUNCTUATION = frozenset("_.:/=+-@")

RULES = (
    Rule(
        "tag-count",
        "There are at most 50 session tags.",
        INVALID_RESPONSE,
        "Send fewer PrincipalTag attributes.",
    ),
    Rule(
        "tag-single",
        "Each session tag has exactly one value.",
        INVALID_RESPONSE,
        "AWS knows no multi-valued tags: join the values with a separator.",
    ),
    Rule(
        "tag-keys",
        "Tag keys have 1 to 128 letters, digits, spaces or _ . : / = + - @",
        INVALID_RESPONSE,
        "Rename the tag.",
    ),
    Rule(
        "tag-values",
        "Tag values have 0 to 256 letters, digits, spaces or _ . : / = + - @",
        INVALID_RESPONSE,
        "Shorten the value, or map it to one without other characters.",
    ),
    Rule(
        "tag-reserved",
        "No tag key or value begins with aws:",
        INVALID_RESPONSE,
        "The prefix aws: is AWS's own: choose another.",
    ),
    Rule(
        "tag-unique",
        "No two tag keys differ only in capitals.",
        INVALID_RESPONSE,
        "Session tag keys are compared without regard to case: keep one of them.",
    ),
    Rule(
        "transitive-keys",
        "Each of TransitiveTagKeys is the key of a tag that is sent.",
        INVALID_RESPONSE,
        "Send the tag too, or leave its key out of TransitiveTagKeys.",
    ),
)


def read_tags(
    attributes: Mapping[str, tuple[str, ...]], notebook: Notebook
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Tags by key and the transitive keys, each rule noted."""
    prefix = AWS_ATTRIBUTES + TAG
    sent = {
        name.removeprefix(prefix): values
        for name, values in attributes.items()
        if name.startswith(prefix)
    }
    notebook.note("tag-count", len(sent) <= MOST_TAGS, len(sent), f"{MOST_TAGS} at most")
    _refuse_any("tag-single", (f"{k}: {len(v)}" for k, v in sent.items() if len(v) != 1), notebook)
    tags = {key: values[0] for key, values in sent.items() if values}
    _refuse_any("tag-keys", (key for key in sent if not _plain(key, 1, LONGEST_KEY)), notebook)
    _refuse_any(
        "tag-values",
        (f"{k}={v}" for k, v in tags.items() if not _plain(v, 0, LONGEST_VALUE)),
        notebook,
    )
    _refuse_any(
        "tag-reserved",
        (f"{k}={v}" for k, v in tags.items() if k.lower()[:4] == "aws:" or v.lower()[:4] == "aws:"),
        notebook,
    )
    folded = Counter(key.casefold() for key in sent)
    _refuse_any("tag-unique", (key for key in sent if folded[key.casefold()] > 1), notebook)
    transitive = attributes.get(f"{AWS_ATTRIBUTES}TransitiveTagKeys", ())
    _refuse_any("transitive-keys", (k for k in transitive if k.casefold() not in folded), notebook)
    return tags, transitive


def _refuse_any(name: str, offenders: Iterable[str], notebook: Notebook) -> None:
    found = list(offenders)
    notebook.note(name, not found, ", ".join(found) or "none", "none that breaks it")


def _plain(text: str, shortest: int, longest: int) -> bool:
    r"""AWS's class [\p{L}\p{Z}\p{N}_.:/=+\-@] with its limits of length."""
    return shortest <= len(text) <= longest and all(
        character in _PUNCTUATION or unicodedata.category(character)[0] in "LZN"
        for character in text
    )
