"""The EncryptedAssertion: whether there is to be one, its form, and who can read it."""

from __future__ import annotations

from lxml import etree

from idp.errors import IdpError
from idp.saml.xml import parse_untrusted
from idp.sandbox.judge.check import INVALID_RESPONSE, Notebook, Rule
from idp.sandbox.judge.decryption import decrypt, take_apart
from idp.sandbox.judge.metadata import Provider
from idp.sandbox.judge.names import ASSERTION
from idp.sandbox.judge.transport import LONGEST

# What AWS says of an assertion that it can't decrypt is not documented: these are the words it has
# for every response that it can't make sense of.
RULES = (
    Rule(
        "encryption",
        "The assertion is encrypted if, and only if, the provider in IAM is set up for that.",
        INVALID_RESPONSE,
        "Encrypt it when AssertionEncryptionMode is Required; send it unencrypted when the "
        "provider holds no private key.",
        side="either",
    ),
    Rule(
        "encryption-form",
        "EncryptedAssertion is a child of the Response and holds one EncryptedData and one key.",
        INVALID_RESPONSE,
        "Encrypt the Assertion to one key: EncryptedData, with the EncryptedKey in its KeyInfo.",
        confirmed=False,
    ),
    Rule(
        "encryption-algorithm",
        "It is encrypted with AES-128 or AES-256 in GCM or CBC mode, its key with RSA-OAEP.",
        INVALID_RESPONSE,
        "Choose aes256-gcm and rsa-oaep-mgf1p.",
    ),
    Rule(
        "decryption",
        "A private key of the provider decrypts it to one Assertion.",
        INVALID_RESPONSE,
        "Encrypt to the key whose private half IAM holds: see aws iam get-saml-provider.",
        side="either",
    ),
)
ENDPOINT_RULES = (
    Rule(
        "encryption-endpoint",
        "An encrypted assertion, and any where encryption is Required, names the provider's own "
        "URL as Recipient: /saml/acs/ and its identifier.",
        INVALID_RESPONSE,
        "Post to, and name as Recipient, the sign-in URL with the unique identifier.",
        confirmed=False,
    ),
)


def check_wanted(
    encrypted: list[etree._Element], provider: Provider | None, notebook: Notebook
) -> bool:
    """Whether the response is encrypted as the provider's mode and keys want it to be."""
    required = provider is not None and provider.requires_encryption
    readable = provider is not None and bool(provider.private_keys)
    if not encrypted:
        for name in ("encryption-form", "encryption-algorithm", "decryption"):
            notebook.note(name, True, "not encrypted", "as AWS can read it")
    wanted = "a plain Assertion (there is no private key to decrypt with)"
    if required:
        wanted = "an EncryptedAssertion, for AssertionEncryptionMode is Required"
    elif readable:
        wanted = "either"
    return notebook.note(
        "encryption",
        readable if encrypted else not required,
        "an EncryptedAssertion" if encrypted else "a plain Assertion",
        wanted,
    )


def opened_assertion(
    root: etree._Element, provider: Provider, notebook: Notebook
) -> etree._Element | None:
    """The Assertion inside the EncryptedAssertion, as the root of a document of its own."""
    here = root.findall(f"{ASSERTION}EncryptedAssertion")
    everywhere = list(root.iter(f"{ASSERTION}EncryptedAssertion"))
    sealed = take_apart(here[0]) if len(here) == len(everywhere) == 1 else None
    if not notebook.note(
        "encryption-form",
        sealed is not None,
        f"{len(here)} as direct children, {len(everywhere)} in all",
        "one, with one EncryptedData and one EncryptedKey",
    ):
        return None
    if sealed is None or not notebook.note(
        "encryption-algorithm", sealed.known, sealed.algorithms, "AES in GCM or CBC with RSA-OAEP"
    ):
        return None
    octets = decrypt(sealed, provider.private_keys)
    assertion, seen = None, f"no match among {len(provider.private_keys)} key(s)"
    if octets is not None:
        try:
            assertion = parse_untrusted(octets, max_bytes=LONGEST)
            seen = str(etree.QName(assertion).localname)
        except IdpError as refusal:
            seen = refusal.message
    sound = assertion is not None and assertion.tag == f"{ASSERTION}Assertion"
    notebook.note("decryption", sound, seen, "one Assertion")
    return assertion if sound else None


def check_endpoint(
    recipient: str, provider: Provider | None, notebook: Notebook, *, encrypted: bool
) -> None:
    """Hold the Recipient of what was, or must be, encrypted to the provider's own URL."""
    required = provider is not None and provider.requires_encryption
    uuid = provider.uuid if provider else ""
    own = recipient.endswith(f"/saml/acs/{uuid}") if uuid else "/saml/acs/" in recipient
    notebook.note(
        "encryption-endpoint",
        own or not (encrypted or required),
        recipient,
        f"…/saml/acs/{uuid or 'SAMLSP…'}",
    )
