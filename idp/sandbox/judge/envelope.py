"""The samlp:Response around the assertion."""

from __future__ import annotations

from lxml import etree

from idp.sandbox.judge.check import INVALID_RESPONSE, REJECTED, Notebook, Rule
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
        "encryption",
        "The assertion is encrypted if, and only if, the provider in IAM is set up for that.",
        INVALID_RESPONSE,
        "Send the assertion unencrypted, with AssertionEncryptionMode Allowed.",
        side="either",
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


def find_assertion(
    root: etree._Element, endpoints: tuple[str, ...], notebook: Notebook, *, must_encrypt: bool
) -> etree._Element | None:
    """The one Assertion of the Response, or None when the envelope isn't as it should be.

    `must_encrypt` says that the provider takes encrypted assertions only. Decryption would come
    here, before the assertion is looked for: none is done yet, so every encrypted one is refused.
    """
    version = root.get("Version", "")
    is_response = root.tag == f"{PROTOCOL}Response"
    if not notebook.note(
        "response",
        is_response and version == "2.0",
        f"{etree.QName(root).localname} {version}",
        "samlp:Response 2.0",
    ):
        return None
    _check_status(root, notebook)
    _check_destination(root, endpoints, notebook)
    _check_unsolicited(root, notebook)
    encrypted = list(root.iter(f"{ASSERTION}EncryptedAssertion"))
    if not notebook.note(
        "encryption",
        not encrypted and not must_encrypt,
        "an EncryptedAssertion" if encrypted else "a plain Assertion",
        "an encrypted assertion, which this judge can't read yet"
        if must_encrypt
        else "a plain Assertion (this judge can't decrypt yet)",
    ):
        return None
    everywhere = list(root.iter(f"{ASSERTION}Assertion"))
    here = root.findall(f"{ASSERTION}Assertion")
    if not notebook.note(
        "one-assertion",
        len(everywhere) == len(here) == 1,
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


def _check_unsolicited(root: etree._Element, notebook: Notebook) -> None:
    answered = [
        str(element.get("InResponseTo")) or "an empty one"
        for element in root.iter(f"{PROTOCOL}Response", f"{ASSERTION}SubjectConfirmationData")
        if element.get("InResponseTo") is not None
    ]
    notebook.note("unsolicited", not answered, ", ".join(answered) or "absent", "absent")
