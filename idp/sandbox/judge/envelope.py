"""The samlp:Response around the assertion."""

from __future__ import annotations

from collections.abc import Iterable

from lxml import etree

from idp.sandbox.judge import encryption
from idp.sandbox.judge.check import INVALID_RESPONSE, REJECTED, Notebook, Rule
from idp.sandbox.judge.metadata import Provider
from idp.sandbox.judge.names import ASSERTION, PROTOCOL

SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"

RULES = (
    Rule(
        "response",
        "The document is a samlp:Response of version 2.0.",
        INVALID_RESPONSE,
        "Post the whole samlp:Response, not the Assertion alone or another message.",
    ),
    Rule(
        "status",
        "The status is Success.",
        REJECTED,
        "The identity provider refused the sign-in: see its log for the reason.",
    ),
    Rule(
        "one-assertion",
        "The response carries exactly one Assertion, as its direct child.",
        INVALID_RESPONSE,
        "Send one assertion with one AttributeStatement that holds all roles.",
    ),
    Rule(
        "destination",
        "Destination, if given, is the endpoint that the response is posted to.",
        INVALID_RESPONSE,
        "Set Destination to the sign-in endpoint, or leave it out.",
        confirmed=False,
    ),
    Rule(
        "unsolicited",
        "There is no InResponseTo: AWS sends no requests.",
        INVALID_RESPONSE,
        "Leave InResponseTo out of Response and SubjectConfirmationData.",
        confirmed=False,
    ),
)


def check_envelope(root: etree._Element, endpoints: tuple[str, ...], notebook: Notebook) -> bool:
    """Whether the document is a Response; what it says about itself is noted."""
    version = root.get("Version", "")
    is_response = root.tag == f"{PROTOCOL}Response"
    if not notebook.note(
        "response",
        is_response and version == "2.0",
        f"{etree.QName(root).localname} {version}",
        "samlp:Response 2.0",
    ):
        return False
    _check_status(root, notebook)
    _check_destination(root, endpoints, notebook)
    _check_unsolicited((root,), notebook)
    return True


def find_assertion(
    root: etree._Element, provider: Provider | None, notebook: Notebook
) -> etree._Element | None:
    """The one Assertion of the Response, decrypted if it is encrypted.

    None when there isn't exactly one, or when it can't be read.
    """
    encrypted = list(root.iter(f"{ASSERTION}EncryptedAssertion"))
    if not encryption.check_wanted(encrypted, provider, notebook):
        return None
    inner = None
    if encrypted and provider is not None:
        inner = encryption.opened_assertion(root, provider, notebook)
        if inner is None:
            return None
    trees = (root,) if inner is None else (root, inner)
    everywhere = [found for tree in trees for found in tree.iter(f"{ASSERTION}Assertion")]
    here = root.findall(f"{ASSERTION}Assertion") if inner is None else [inner]
    nested = inner is not None and any(inner.iter(f"{ASSERTION}EncryptedAssertion"))
    if inner is not None:
        _check_unsolicited(trees, notebook)
    if not notebook.note(
        "one-assertion",
        len(everywhere) == len(here) == 1 and not nested,
        f"{len(here)} as direct children, {len(everywhere)} in all",
        "1 and 1",
    ):
        return None
    return here[0]


def _check_status(root: etree._Element, notebook: Notebook) -> None:
    codes = root.findall(f"{PROTOCOL}Status/{PROTOCOL}StatusCode")
    values = [code.get("Value", "") for code in codes]
    notebook.note("status", values == [SUCCESS], ", ".join(values) or "none", SUCCESS)


def _check_destination(
    root: etree._Element, endpoints: tuple[str, ...], notebook: Notebook
) -> None:
    destination = root.get("Destination")
    notebook.note(
        "destination",
        destination is None or destination in endpoints,
        "absent" if destination is None else destination,
        endpoints[0],
    )


def _check_unsolicited(trees: Iterable[etree._Element], notebook: Notebook) -> None:
    answered = [
        str(element.get("InResponseTo")) or "an empty one"
        for root in trees
        for element in root.iter(f"{PROTOCOL}Response", f"{ASSERTION}SubjectConfirmationData")
        if element.get("InResponseTo") is not None
    ]
    notebook.note("unsolicited", not answered, ", ".join(answered) or "absent", "absent")
