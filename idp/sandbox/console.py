"""The sign-in pages: POST /saml and its siblings, the role chooser, and a console of one page."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from itertools import groupby
from urllib.parse import urlsplit

from flask import Flask, Response, make_response, redirect, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from idp.sandbox.assume import Assumed, Gate
from idp.sandbox.destination import console_link
from idp.sandbox.endpoints import REGIONS
from idp.sandbox.judge import RolePair, pairs_claimed
from idp.sandbox.judge.check import INVALID_RESPONSE
from idp.sandbox.providers import SamlProvider, SamlProviders
from idp.sandbox.refusal import AwsRefusal
from idp.sandbox.sp_metadata import service_provider_metadata

MOST_BYTES = 400_000
LONGEST_RELAY_STATE = 8_192
MOST_VISITS = 1_000
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def console_origin(address: str) -> str:
    """Where the console is: the same server by its other name, so that it is another origin."""
    parts = urlsplit(address)
    name = "127.0.0.1" if parts.hostname == "localhost" else "localhost"
    return f"http://{name}:{parts.port}"


def create_console(
    address: str,
    gate: Gate,
    providers: SamlProviders,
    alias_of: Callable[[str, str], str],
    clock: Callable[[], datetime],
) -> Flask:
    """The pages as a Flask application. `alias_of` gives an account's alias."""
    app = Flask(__name__, static_folder="static", static_url_path="/_sandbox/static")
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = MOST_BYTES
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    landed: OrderedDict[str, tuple[Assumed, str]] = OrderedDict()

    @app.get("/")
    def home() -> str:
        return render_template("home.html", address=address)

    @app.post("/saml", defaults={"region": None, "uuid": None})
    @app.post("/saml/acs/<uuid>", defaults={"region": None})
    @app.post("/<region>/saml", defaults={"uuid": None})
    @app.post("/<region>/saml/acs/<uuid>")
    def sign_in(region: str | None, uuid: str | None) -> AnyResponse | str:
        if region is not None and region not in REGIONS:
            raise AwsRefusal("NotFound", f"There is no Region {region}.", 404)
        posted = _posted_fields()
        now = clock()
        opener = gate.opener(None, uuid)
        chosen = _chosen_pair(posted, opener)
        here = (f"{address}{request.path}",)
        believed = gate.believe(posted["SAMLResponse"], lambda _provider: here, now, chosen, uuid)
        _check_own_url(believed.provider, uuid)
        roles = believed.verdict.roles
        if chosen is None and len(roles) > 1:
            return _chooser(roles, posted, alias_of)
        assumed = gate.assume(believed, chosen or roles[0], now, console=True)
        visit = secrets.token_urlsafe(16)
        landed[visit] = (assumed, posted.get("RelayState", ""))
        if len(landed) > MOST_VISITS:
            landed.popitem(last=False)
        # AWS, too, answers the form with a redirect to its console, which is another origin.
        return redirect(f"{console_origin(address)}/console/{visit}", 303)

    @app.get("/console/<visit>")
    def console(visit: str) -> str:
        if visit not in landed:
            raise AwsRefusal("NotFound", "Nobody is signed in to this console.", 404)
        return _console_page(*landed[visit], address, alias_of)

    @app.get("/static/saml-metadata.xml", defaults={"uuid": None})
    @app.get("/static/saml/<uuid>/saml-metadata.xml")
    def metadata(uuid: str | None) -> Response:
        known = uuid is None or providers.by_uuid(uuid) is not None
        if not known:
            raise AwsRefusal("NotFound", "There is no such provider.", 404)
        body = service_provider_metadata(address, uuid)
        return Response(body, mimetype="application/samlmetadata+xml")

    @app.errorhandler(AwsRefusal)
    def refused(refusal: AwsRefusal) -> Response:
        return make_response(render_template("refusal.html", refusal=refusal), refusal.status)

    @app.errorhandler(HTTPException)
    def not_so(problem: HTTPException) -> Response:
        refusal = AwsRefusal(problem.name, _plain_words(problem.code or 400), problem.code or 400)
        page = make_response(render_template("refusal.html", refusal=refusal), refusal.status)
        if problem.code == 405:
            page.headers["Allow"] = "POST"
        return page

    @app.after_request
    def with_headers(response: Response) -> Response:
        response.headers.update(_HEADERS)
        return response

    return app


def _posted_fields() -> dict[str, str]:
    """The form's fields. Raises AwsRefusal for repeated, missing or impossible ones."""
    fields: dict[str, str] = {}
    for name in ("SAMLResponse", "RelayState", "roleIndex"):
        values = request.form.getlist(name)
        if len(values) > 1:
            raise AwsRefusal.of(INVALID_RESPONSE, f"The field {name} is there {len(values)} times.")
        if values:
            fields[name] = values[0]
    if not fields.get("SAMLResponse"):
        raise AwsRefusal.of(
            INVALID_RESPONSE, "The form has no field SAMLResponse (base64, HTTP-POST binding)."
        )
    if len(fields.get("RelayState", "")) > LONGEST_RELAY_STATE:
        raise AwsRefusal.of(INVALID_RESPONSE, "RelayState is too long.")
    return fields


def _chosen_pair(posted: dict[str, str], opener: SamlProvider | None) -> RolePair | None:
    """The role chosen on the chooser page. Raises AwsRefusal unless the response claims it."""
    choice = posted.get("roleIndex")
    if choice is None:
        return None
    for pair in pairs_claimed(posted["SAMLResponse"], opener.trusted if opener else None):
        if f"{pair.role},{pair.provider}" == choice:
            return pair
    raise AwsRefusal.of(INVALID_RESPONSE, "The role chosen is not among those that were sent.")


def _check_own_url(provider: SamlProvider, uuid: str | None) -> None:
    if uuid is not None and uuid != provider.uuid:
        raise AwsRefusal.of(
            INVALID_RESPONSE,
            f"The URL belongs to another provider; that of {provider.arn} ends with "
            f"/saml/acs/{provider.uuid}.",
        )


def _chooser(
    roles: tuple[RolePair, ...], posted: dict[str, str], alias_of: Callable[[str, str], str]
) -> str:
    def account(pair: RolePair) -> tuple[str, str]:
        return pair.role.partition, pair.role.account

    accounts = [
        (number, partition, alias_of(number, partition), sorted(pairs))
        for (partition, number), pairs in groupby(sorted(roles, key=account), key=account)
    ]
    return render_template("chooser.html", accounts=accounts, posted=posted, action=request.path)


def _console_page(
    assumed: Assumed, relay_state: str, address: str, alias_of: Callable[[str, str], str]
) -> str:
    session = assumed.session
    role = session.role
    return render_template(
        "console.html",
        session=session,
        verdict=assumed.believed.verdict,
        believed=assumed.believed,
        alias=alias_of(role.account, role.partition),
        relay_state=relay_state,
        link=console_link(relay_state),
        address=address,
        region={"aws": "us-east-1", "aws-cn": "cn-north-1"}.get(role.partition, "us-gov-west-1"),
    )


def _plain_words(status: int) -> str:
    return {
        404: "There is nothing at this address.",
        405: "This address takes a SAML response that a browser posts to it.",
        413: "The form is too large to hold a SAML response.",
    }.get(status, "The request can't be read.")
