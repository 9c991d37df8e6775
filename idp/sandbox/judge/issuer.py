"""Who speaks: the provider that IAM holds, and the Issuer that must be its own."""

from __future__ import annotations

from lxml import etree

from idp.sandbox.judge.check import AwsError, Notebook, Rule
from idp.sandbox.judge.metadata import Provider
from idp.sandbox.judge.names import ASSERTION, text_of

_FOREIGN_ISSUER = AwsError(
    "InvalidIdentityToken",
    "Issuer not present in specified provider (Service: AWSOpenIdDiscoveryService; "
    "Status Code: 400; Error Code: AuthSamlInvalidSamlResponseException)",
)

PROVIDER_RULES = (
    Rule(
        "provider",
        "IAM holds the SAML provider that the Role value names.",
        AwsError(
            "InvalidIdentityToken",
            "Specified provider doesn't exist (Service: AWSOpenIdDiscoveryService; "
            "Status Code: 400; Error Code: AuthSamlManifestNotFoundException)",
        ),
        "Create the provider in that account, or mend the provider ARN in the Role attribute.",
        side="either",
    ),
)

ISSUER_RULES = (
    Rule(
        "issuer",
        "The assertion's Issuer is the entityID of the provider's metadata.",
        _FOREIGN_ISSUER,
        "Upload the metadata of the identity provider that really signs, or mend its entityID.",
        side="either",
    ),
    Rule(
        "response-issuer",
        "The Response's Issuer, if given, is the same.",
        _FOREIGN_ISSUER,
        "Use one entityID for Response and Assertion.",
        confirmed=False,
    ),
)


def check_provider(provider: Provider | None, named: str, notebook: Notebook) -> bool:
    """Whether there is a provider to hold the response against."""
    return notebook.note(
        "provider",
        provider is not None,
        named or (provider.entity_id if provider else "none"),
        "a SAML provider in IAM",
    )


def check_issuer(
    root: etree._Element, assertion: etree._Element, provider: Provider, notebook: Notebook
) -> str:
    """The assertion's Issuer, held against the provider's entityID."""
    issuers = [text_of(e) for e in assertion.findall(f"{ASSERTION}Issuer")]
    notebook.note(
        "issuer", issuers == [provider.entity_id], ", ".join(issuers) or "none", provider.entity_id
    )
    outer = [text_of(e) for e in root.findall(f"{ASSERTION}Issuer")]
    notebook.note(
        "response-issuer",
        not outer or outer == [provider.entity_id],
        ", ".join(outer) or "absent",
        provider.entity_id,
    )
    return issuers[0] if issuers else ""
