"""The signature: where it stands, what it covers, how it was made, and whose it is.

Values are read from the canonical bytes whose digest the signature covers and from nothing else,
so that what is verified and what is read can't come apart (signature wrapping).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

import xmlsec
from lxml import etree

from idp.sandbox.judge.check import INVALID_SIGNATURE, Notebook, Rule
from idp.sandbox.judge.names import ASSERTION, SIGNATURE, text_of

ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
METHODS = tuple(f"http://www.w3.org/2001/04/xmldsig-more#rsa-sha{n}" for n in (256, 384, 512))
DIGESTS = {
    "http://www.w3.org/2001/04/xmlenc#sha256": hashlib.sha256,
    "http://www.w3.org/2001/04/xmldsig-more#sha384": hashlib.sha384,
    "http://www.w3.org/2001/04/xmlenc#sha512": hashlib.sha512,
}

RULES = (
    Rule(
        "signature-place",
        "The Assertion carries its own enveloped ds:Signature as a direct child.",
        INVALID_SIGNATURE,
        "Sign the Assertion itself; a signature of the Response alone is not relied on here.",
        confirmed=False,
    ),
    Rule(
        "signature-reference",
        "The signature has exactly one Reference, to the ID of the element that carries it.",
        INVALID_SIGNATURE,
        "Let the signature refer to the ID of its own Assertion.",
    ),
    Rule(
        "signature-transforms",
        "The only transforms are enveloped-signature and exclusive canonicalization.",
        INVALID_SIGNATURE,
        "Use enveloped-signature, then http://www.w3.org/2001/10/xml-exc-c14n#.",
    ),
    Rule(
        "signature-algorithm",
        "It is made with RSA and SHA-256, SHA-384 or SHA-512; SHA-1 is refused.",
        INVALID_SIGNATURE,
        "Choose rsa-sha256 as signature and sha256 as digest algorithm.",
        confirmed=False,
    ),
    Rule(
        "signature-objects",
        "The signature holds no ds:Object.",
        INVALID_SIGNATURE,
        "Leave ds:Object out of the signature.",
        confirmed=False,
    ),
    Rule(
        "signature",
        "The signature verifies with a key of the provider's metadata.",
        INVALID_SIGNATURE,
        "Upload the metadata that holds the key in use, and change nothing after signing.",
        side="either",
    ),
    Rule(
        "response-signature",
        "A signature of the Response, if there is one, is sound and verifies too.",
        INVALID_SIGNATURE,
        "Sign the Response after the Assertion with the same key, or leave it unsigned.",
        confirmed=False,
    ),
)


def signed_octets(
    assertion: etree._Element, keys: Sequence[bytes], notebook: Notebook
) -> bytes | None:
    """The canonical bytes of `assertion` that a key of `keys` signed, or None.

    `keys` are public keys, PEM (SubjectPublicKeyInfo). KeyInfo in the message is never looked at.
    """
    signatures = assertion.findall(f"{SIGNATURE}Signature")
    anywhere = list(assertion.iter(f"{SIGNATURE}Signature"))
    if not notebook.note(
        "signature-place",
        len(signatures) == len(anywhere) == 1,
        f"{len(signatures)} as direct children, {len(anywhere)} in all",
        "1 and 1",
    ):
        return None
    signature = signatures[0]
    problems = _form(assertion, signature)
    for name, seen, wanted in problems:
        notebook.note(name, seen == "", seen or wanted, wanted)
    if any(seen for _, seen, _ in problems):
        return None
    octets = _verified(assertion, signature, keys)
    notebook.note(
        "signature",
        octets is not None,
        "verified" if octets is not None else f"no match among {len(keys)} key(s)",
        "verified by a key of the metadata",
    )
    return octets


def check_response_signature(
    root: etree._Element, keys: Sequence[bytes], notebook: Notebook
) -> None:
    """Hold the Response's own signature, if any, to the same rules."""
    signatures = root.findall(f"{SIGNATURE}Signature")
    homes = (root, *root.findall(f"{ASSERTION}Assertion"))
    strays = [
        element
        for element in root.iter(f"{SIGNATURE}Signature")
        if not any(element.getparent() is home for home in homes)
    ]
    if strays or len(signatures) > 1:
        notebook.note(
            "response-signature", False, "a signature in an odd place", "none, or one of its own"
        )
        return
    if not signatures:
        notebook.note("response-signature", True, "unsigned", "unsigned, or verified")
        return
    bad = [seen for _, seen, _ in _form(root, signatures[0]) if seen]
    if not bad and _verified(root, signatures[0], keys) is None:
        bad = [f"no match among {len(keys)} key(s)"]
    notebook.note("response-signature", not bad, "; ".join(bad) or "verified", "verified")


def _form(signed: etree._Element, signature: etree._Element) -> tuple[tuple[str, str, str], ...]:
    """(rule, what is wrong or nothing, what is wanted) for the signature's shape."""
    info = signature.findall(f"{SIGNATURE}SignedInfo")
    references = signature.findall(f".//{SIGNATURE}Reference")
    uris = [reference.get("URI", "") for reference in references]
    own = f"#{signed.get('ID', '')}"
    transforms = [
        element.get("Algorithm", "") for element in signature.iter(f"{SIGNATURE}Transform")
    ]
    algorithms = {
        part: [element.get("Algorithm", "") for element in signature.iter(SIGNATURE + part)]
        for part in ("SignatureMethod", "DigestMethod", "CanonicalizationMethod")
    }
    sound = (
        len(algorithms["SignatureMethod"]) == 1
        and algorithms["SignatureMethod"][0] in METHODS
        and len(algorithms["DigestMethod"]) == 1
        and algorithms["DigestMethod"][0] in DIGESTS
        and algorithms["CanonicalizationMethod"] == [EXCLUSIVE]
    )
    shown = ", ".join(name for found in algorithms.values() for name in found)
    objects = list(signature.iter(f"{SIGNATURE}Object", f"{SIGNATURE}Manifest"))
    own_reference = len(info) == 1 and len(own) > 1 and uris == [own]
    return (
        ("signature-reference", "" if own_reference else ", ".join(uris) or "none", own),
        (
            "signature-transforms",
            "" if transforms == [ENVELOPED, EXCLUSIVE] else ", ".join(transforms) or "none",
            f"{ENVELOPED}, {EXCLUSIVE}",
        ),
        ("signature-algorithm", "" if sound else shown or "none", "rsa-sha256 with sha256"),
        ("signature-objects", f"{len(objects)} ds:Object" if objects else "", "none"),
    )


def _verified(
    signed: etree._Element, signature: etree._Element, keys: Sequence[bytes]
) -> bytes | None:
    octets = _canonical(signed, signature)
    if octets is None or not _digest_fits(octets, signature):
        return None
    for key in keys:
        context = xmlsec.SignatureContext()
        try:
            context.key = xmlsec.Key.from_memory(key, xmlsec.constants.KeyDataFormatPem)
            context.register_id(signed, "ID")
            context.verify(signature)
        except xmlsec.Error:
            continue
        return octets
    return None


def _canonical(signed: etree._Element, signature: etree._Element) -> bytes | None:
    """What the Reference covers: the element without its signature, in exclusive C14N."""
    position = list(signed).index(signature)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    # Serialising first carries the namespaces of the ancestors along, which PrefixList may name.
    twin = etree.fromstring(etree.tostring(signed, with_tail=False), parser)
    own = twin[position]
    previous, tail = own.getprevious(), own.tail or ""
    if previous is not None:
        previous.tail = (previous.tail or "") + tail
    else:
        twin.text = (twin.text or "") + tail
    own.tail = None
    twin.remove(own)
    prefixes = [
        prefix
        for element in signature.iterfind(f"{SIGNATURE}SignedInfo//{SIGNATURE}Transform/*")
        for prefix in element.get("PrefixList", "").split()
    ]
    try:
        return etree.tostring(
            twin, method="c14n", exclusive=True, inclusive_ns_prefixes=prefixes or None
        )
    except (etree.LxmlError, ValueError):
        return None


def _digest_fits(octets: bytes, signature: etree._Element) -> bool:
    method = next(signature.iter(f"{SIGNATURE}DigestMethod")).get("Algorithm", "")
    stated = text_of(next(signature.iter(f"{SIGNATURE}DigestValue"), signature))
    try:
        wanted = base64.b64decode("".join(stated.split()), validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(DIGESTS[method](octets).digest(), wanted)
