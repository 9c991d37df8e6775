"""The Condition block of a policy: operators, quantifiers and the values they are held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


class Context:
    """Values by condition key; keys are compared without regard to capitals."""

    def __init__(self, values: Mapping[str, tuple[str, ...]]) -> None:
        self._values = {key.lower(): tuple(given) for key, given in values.items()}

    def values(self, key: str) -> tuple[str, ...] | None:
        """The values of `key`, or None when the request doesn't carry it."""
        return self._values.get(key.lower())


_Compare = Callable[[str, str], bool]


def wildcard_match(pattern: str, text: str) -> bool:
    """Whether `text` fits `pattern`, in which * is any run and ? any one character."""
    at = place = 0
    star, resume = -1, 0
    while place < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, resume, at = at, place, at + 1
        elif at < len(pattern) and pattern[at] in ("?", text[place]):
            at, place = at + 1, place + 1
        elif star >= 0:
            # Going back to the last star only keeps the time proportional to the product.
            resume += 1
            at, place = star + 1, resume
        else:
            return False
    return not pattern[at:].strip("*")


def _same(wanted: str, seen: str) -> bool:
    return wanted == seen


def _same_folded(wanted: str, seen: str) -> bool:
    return wanted.casefold() == seen.casefold()


# Operator -> how one value is compared, and whether the outcome is turned round.
_OPERATORS: Mapping[str, tuple[_Compare, bool]] = {
    "stringequals": (_same, False),
    "stringnotequals": (_same, True),
    "stringequalsignorecase": (_same_folded, False),
    "stringnotequalsignorecase": (_same_folded, True),
    "stringlike": (wildcard_match, False),
    "stringnotlike": (wildcard_match, True),
    "arnequals": (wildcard_match, False),
    "arnlike": (wildcard_match, False),
    "bool": (_same_folded, False),
}


def unmet(block: Any, context: Context) -> tuple[str, bool]:
    """Why the Condition block isn't met (empty: it is), and whether it made no sense."""
    if not isinstance(block, Mapping):
        return "has a Condition that is not an object.", True
    reason = ""
    for operator, keys in block.items():
        if not isinstance(keys, Mapping):
            return f"has {operator} without an object of keys.", True
        for key, wanted in keys.items():
            values = _texts(wanted)
            if not values:
                return f"has values of {key} that are not text.", True
            if any("${" in value for value in values):
                return f"has a policy variable for {key}, which this sandbox doesn't know.", True
            if _wants_truth(operator) and not {"true", "false"}.issuperset(map(str.lower, values)):
                return f"has {operator} of {key} with something else than true or false.", True
            met = _met(operator, key, values, context)
            if met is None:
                return f"uses the operator {operator}, which this sandbox doesn't know.", True
            if not met and not reason:
                reason = _sentence(operator, key, values, context)
    return reason, False


def _texts(value: Any) -> list[str] | None:
    values = value if isinstance(value, list) else [value]
    texts = [str(each).lower() if isinstance(each, bool) else each for each in values]
    return texts if all(isinstance(each, str) for each in texts) else None


def _wants_truth(operator: str) -> bool:
    return operator.rpartition(":")[2].lower().removesuffix("ifexists") in ("bool", "null")


def _sentence(operator: str, key: str, wanted: list[str], context: Context) -> str:
    seen = context.values(key)
    shown = "absent" if seen is None else ", ".join(seen) or "empty"
    return f"wants {key} {operator} {' or '.join(wanted)}; it is {shown}."


def _met(operator: str, key: str, wanted: list[str], context: Context) -> bool | None:
    """Whether one condition is met; None for an operator that isn't known."""
    quantifier, _, name = operator.rpartition(":")
    folded = name.lower()
    seen = context.values(key)
    if folded == "null":
        if quantifier:
            return None
        return all((seen is None) == (each.lower() == "true") for each in wanted)
    if_exists = folded.endswith("ifexists")
    known = _OPERATORS.get(folded.removesuffix("ifexists"))
    if known is None or quantifier.lower() not in ("", "foranyvalue", "forallvalues"):
        return None
    if seen is None and if_exists:
        return True
    compare, negated = known

    def fits(value: str) -> bool:
        return any(compare(each, value) for each in wanted) != negated

    if quantifier.lower() == "forallvalues":
        # Met by an absent key too: AWS warns of that, and so it is here.
        return all(fits(value) for value in seen or ())
    if quantifier.lower() == "foranyvalue":
        return any(fits(value) for value in seen or ())
    if seen is None:
        return negated
    return all(fits(value) for value in seen) if negated else any(fits(value) for value in seen)
