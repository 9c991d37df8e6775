"""Our metadata, and the page that walks IAM admins through registering it."""

from __future__ import annotations

from datetime import timedelta

from flask import (
    Blueprint,
    Response,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.wrappers import Response as AnyResponse

from idp.aws.endpoints import PARTITIONS, in_order, sign_in_endpoint
from idp.aws.snippets import ExampleAccount, snippets
from idp.errors import IdpError
from idp.keys.fetches import Fetch
from idp.keys.publication import PublishedMetadata, publish_metadata
from idp.web.errors import error_page
from idp.web.parts import parts

blueprint = Blueprint("metadata", __name__)


class NoSuchServiceProvider(IdpError):
    """Metadata is asked for in a name that the settings do not have."""

    status = 404


_MEDIA_TYPE = "application/samlmetadata+xml"  # SAML metadata, appendix A
_CACHE_SECONDS = 300


@blueprint.get("/metadata", defaults={"service_provider": None})
@blueprint.get("/metadata/for/<service_provider>")
def document(service_provider: str | None) -> AnyResponse:
    """The document itself, with an ETag for those who fetch it often.

    A service provider of the settings has an address of its own, with an overlap of its own.
    """
    overlap = None if service_provider is None else _overlap_of(service_provider)
    found = _published(overlap)
    _note_fetch(found, service_provider)
    response = make_response(found.xml)
    response.content_type = _MEDIA_TYPE
    response.set_etag(found.etag)
    response.headers["Cache-Control"] = f"public, max-age={_CACHE_SECONDS}"
    response.headers["Content-Disposition"] = 'inline; filename="idp-metadata.xml"'
    return response.make_conditional(request)


@blueprint.get("/metadata/download")
def download() -> Response:
    """The document as a file, for the upload in the IAM console."""
    response = make_response(_published().xml)
    response.content_type = _MEDIA_TYPE
    response.headers["Content-Disposition"] = 'attachment; filename="idp-metadata.xml"'
    return response


@blueprint.get("/for-admins")
def page() -> str:
    """What an IAM admin needs, in the order of need."""
    own = parts()
    found = _published()
    aws = own.settings.aws
    endpoints = [
        (f"{partition.label}, {endpoint.label}", endpoint.acs)
        for partition in PARTITIONS.values()
        for endpoint in (
            sign_in_endpoint(partition.name, code, sandbox_url=aws.sandbox_url)
            for code in in_order(aws.endpoints, partition.name)
        )
    ]
    acs_urls = tuple(
        sign_in_endpoint("aws", code, sandbox_url=aws.sandbox_url).acs
        for code in in_order(aws.endpoints, "aws")
    )
    example = ExampleAccount(
        metadata_url=url_for("metadata.document", _external=True),
        acs_urls=acs_urls,
        sandbox_url=aws.sandbox_url,
    )
    return render_template(
        "metadata.html",
        entity_id=own.settings.entity_id,
        metadata_url=example.metadata_url,
        download_url=url_for("metadata.download"),
        etag=found.etag,
        certificates=found.certificates,
        endpoints=endpoints,
        snippets=snippets(example),
        xml=found.readable,
    )


@blueprint.route("/sso", methods=["GET", "POST"])
def single_sign_on() -> AnyResponse:
    """Where our metadata says that requests go. Sign-in starts in the portal, so it leads there.

    An AuthnRequest is refused in words: nothing here would answer it.
    """
    if "SAMLRequest" in request.values:
        return error_page(
            400,
            "Start from the portal",
            "This identity provider signs people in from its own portal (IdP-initiated), and does "
            "not take requests from service providers.",
            "Open the portal and choose a role.",
        )
    return redirect(url_for("portal.page"), 303)


def _published(overlap: timedelta | None = None) -> PublishedMetadata:
    own = parts()
    with own.database.reading() as db:
        return publish_metadata(db, own.settings, own.now(), overlap=overlap)


def _overlap_of(name: str) -> timedelta:
    known = {each.name: each.overlap_hours for each in parts().settings.service_providers}
    if name not in known:
        raise NoSuchServiceProvider(
            "No service provider of this name is set up here.",
            "It has to be named in [[service_providers]] of idp.toml; the metadata for all others "
            "is at /metadata.",
        )
    return timedelta(hours=known[name])


def _note_fetch(found: PublishedMetadata, service_provider: str | None) -> None:
    if request.method != "GET":
        return
    own = parts()
    address = request.remote_addr or "unknown"
    own.fetches.note(
        Fetch(
            fetcher=service_provider or address,
            named=service_provider is not None,
            address=address,
            user_agent=request.user_agent.string,
            at=own.now(),
            certificates=tuple(
                certificate.fingerprint.replace(":", "").lower()
                for certificate in found.certificates
            ),
        )
    )
