"""What a role's trust policy may ask about a sign-in: the saml:*, sts:* and tag keys."""

from __future__ import annotations

import base64
import hashlib

from idp.aws.arn import ProviderArn
from idp.sandbox.judge import Verdict

_NAME_ID_PREFIX = "urn:oasis:names:tc:SAML:2.0:nameid-format:"


def trust_context(verdict: Verdict, provider: ProviderArn) -> dict[str, tuple[str, ...]]:
    """The condition keys of a trust policy for this response at `provider`, with their values."""
    context: dict[str, tuple[str, ...]] = {
        **verdict.saml_values,
        "saml:aud": (verdict.recipient,),
        "saml:iss": (verdict.issuer,),
        "saml:sub": (verdict.name_id,),
        "saml:sub_type": (subject_type(verdict.name_id_format),),
        "saml:namequalifier": (name_qualifier(verdict.issuer, provider),),
        "saml:doc": (f"{provider.account}/{provider.name}",),
        "sts:RoleSessionName": (verdict.session_name,),
    }
    if verdict.source_identity is not None:
        context["sts:SourceIdentity"] = (verdict.source_identity,)
    if verdict.transitive:
        context["sts:TransitiveTagKeys"] = verdict.transitive
    if verdict.tags:
        context["aws:TagKeys"] = tuple(verdict.tags)
        context |= {f"aws:RequestTag/{key}": (value,) for key, value in verdict.tags.items()}
    return context


def name_qualifier(issuer: str, provider: ProviderArn) -> str:
    """The saml:namequalifier of an issuer at a provider."""
    text = f"{issuer}{provider.account}/{provider.name}"
    digest = hashlib.sha1(text.encode(), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def subject_type(name_id_format: str) -> str:
    """saml:sub_type: the format without the prefix of SAML 2.0; any other prefix stays."""
    return name_id_format.removeprefix(_NAME_ID_PREFIX)
