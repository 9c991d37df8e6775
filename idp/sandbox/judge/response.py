"""Judge a SAML response as AWS does: every rule, in one straight line."""

from __future__ import annotations

from datetime import datetime

from lxml import etree

from idp.aws.arn import RoleArn
from idp.saml.xml import parse_untrusted
from idp.sandbox.judge import (
    attributes,
    conditions,
    encryption,
    envelope,
    issuer,
    signature,
    subject,
    tags,
    transport,
)
from idp.sandbox.judge.check import Notebook, Rule
from idp.sandbox.judge.metadata import Provider
from idp.sandbox.judge.saml_keys import mapped
from idp.sandbox.judge.verdict import Judgement, Verdict

RULES: tuple[Rule, ...] = (
    *transport.RULES,
    *envelope.RULES,
    *encryption.RULES,
    *issuer.PROVIDER_RULES,
    *issuer.ISSUER_RULES,
    *signature.RULES,
    *conditions.RULES,
    *subject.RULES,
    *encryption.ENDPOINT_RULES,
    *attributes.RULES,
    *tags.RULES,
)


def judge_response(
    text: str,
    *,
    provider: Provider | None,
    endpoints: tuple[str, ...],
    now: datetime,
    role: RoleArn | None = None,
    provider_named: str = "",
) -> Judgement:
    """Hold a base64 SAMLResponse against every rule of AWS.

    `provider` is what IAM holds for the provider that the Role value names (`provider_named`),
    None if there is none. `endpoints` are the URLs that Recipient and Destination may name, the
    one posted to first. `role` is the one to be assumed; by default the first sent decides about
    the partition. `now` is aware, UTC. Nothing is raised for a bad response: its checks say so.
    """
    notebook = Notebook(RULES)
    claimed, proven = _judge(text, provider, endpoints, now, role, provider_named, notebook)
    checks = notebook.checks()
    kept = proven and all(check.passed is not False for check in checks)
    return Judgement(checks, claimed if kept else None, claimed)


def _judge(
    text: str,
    provider: Provider | None,
    endpoints: tuple[str, ...],
    now: datetime,
    role: RoleArn | None,
    provider_named: str,
    notebook: Notebook,
) -> tuple[Verdict | None, bool]:
    """What the response says, and whether the signature covers it."""
    root = transport.read_document(text, notebook)
    if root is None:
        return None, False
    if not envelope.check_envelope(root, endpoints, notebook):
        return None, False
    assertion = envelope.find_assertion(root, provider, notebook)
    if assertion is None:
        return None, False
    encrypted = assertion.getparent() is None  # decrypted, it is a document of its own
    if encrypted:
        transport.check_ids((root, assertion), notebook)
    octets = None
    if issuer.check_provider(provider, provider_named, notebook) and provider is not None:
        octets = signature.signed_octets(assertion, provider.keys, notebook)
        signature.check_response_signature(root, provider.keys, notebook)
    # A broken signature ends it for AWS; here the rest is still read, to be told what else is
    # wrong. The verdict is given only if the signature held.
    read = assertion if octets is None else parse_untrusted(octets, max_bytes=transport.LONGEST * 8)
    entity_id = issuer.check_issuer(root, read, provider, notebook) if provider else ""
    verdict = _read(read, endpoints, now, role, entity_id, notebook)
    encryption.check_endpoint(verdict.recipient, provider, notebook, encrypted=encrypted)
    return verdict, octets is not None


def _read(
    assertion: etree._Element,
    endpoints: tuple[str, ...],
    now: datetime,
    role: RoleArn | None,
    entity_id: str,
    notebook: Notebook,
) -> Verdict:
    found = attributes.read_attributes(assertion, notebook)
    roles = attributes.read_roles(found, notebook)
    wanted = role or (roles[0].role if roles else None)
    times = conditions.read_conditions(
        assertion, wanted.partition if wanted else None, now, notebook
    )
    who = subject.read_subject(assertion, endpoints, now, notebook)
    session_tags, transitive = tags.read_tags(found, notebook)
    return Verdict(
        assertion_id=assertion.get("ID", ""),
        issuer=entity_id,
        name_id=who.name_id,
        name_id_format=who.name_id_format,
        recipient=who.recipient,
        audiences=times.audiences,
        issued=times.issued,
        session_ends=times.session_ends,
        roles=roles,
        session_name=attributes.read_session_name(found, notebook),
        duration=attributes.read_duration(found, notebook),
        source_identity=attributes.read_source_identity(found, notebook),
        tags=session_tags,
        transitive=transitive,
        saml_values=mapped(found),
    )
