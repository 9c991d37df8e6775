"""What an unverified response claims: good for finding what to hold it against, no more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from idp.sandbox.judge import transport
from idp.sandbox.judge.attributes import read_pair
from idp.sandbox.judge.check import Notebook
from idp.sandbox.judge.encryption import RULES as ENCRYPTION_RULES
from idp.sandbox.judge.encryption import opened_assertion
from idp.sandbox.judge.metadata import Provider
from idp.sandbox.judge.names import ASSERTION, AWS_ATTRIBUTES, PROTOCOL, read_instant, text_of
from idp.sandbox.judge.verdict import RolePair


@dataclass(frozen=True, slots=True)
class Claims:
    """Empty or None where the response doesn't say it, or says it in a form nobody can read."""

    issuer: str = ""
    recipient: str = ""
    issued: datetime | None = None
    pairs: tuple[RolePair, ...] = ()


def read_claims(text: str, opener: Provider | None = None) -> Claims:
    """The claims of a base64 SAMLResponse; nothing is verified, and nothing is raised.

    Those of an encrypted assertion are read with the private keys of `opener`, if they fit.
    """
    root = transport.read_document(text, Notebook(transport.RULES))
    if root is None:
        return Claims()
    # The one that will be judged; what stands elsewhere, as in Extensions, is nobody's claim.
    assertions = root.findall(f"{ASSERTION}Assertion") if root.tag == f"{PROTOCOL}Response" else []
    if opener is not None and not assertions and root.tag == f"{PROTOCOL}Response":
        inner = opened_assertion(root, opener, Notebook(ENCRYPTION_RULES))
        assertions = [] if inner is None else [inner]
    if len(assertions) != 1:
        return Claims(issuer=root.findtext(f"{ASSERTION}Issuer", "").strip())
    assertion = assertions[0]
    data = assertion.find(
        f"{ASSERTION}Subject/{ASSERTION}SubjectConfirmation/{ASSERTION}SubjectConfirmationData"
    )
    values = [
        text_of(value)
        for element in assertion.findall(f"{ASSERTION}AttributeStatement/{ASSERTION}Attribute")
        if element.get("Name") == f"{AWS_ATTRIBUTES}Role"
        for value in element.findall(f"{ASSERTION}AttributeValue")
    ]
    pairs = dict.fromkeys(read_pair(value) for value in values)
    return Claims(
        issuer=assertion.findtext(f"{ASSERTION}Issuer", "").strip(),
        recipient="" if data is None else data.get("Recipient", ""),
        issued=read_instant(assertion.get("IssueInstant")),
        pairs=tuple(pair for pair in pairs if pair is not None),
    )


def pairs_claimed(text: str, opener: Provider | None = None) -> tuple[RolePair, ...]:
    """The role pairs among them."""
    return read_claims(text, opener).pairs
