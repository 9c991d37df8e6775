"""Opening a role: from the portal, or by a link to a role and a console page."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, g, redirect, url_for
from werkzeug.wrappers import Response

from idp.aws.destination import check_destination
from idp.aws.endpoints import PARTITIONS
from idp.entitlements.evaluate import Grants
from idp.entitlements.grant import Grant
from idp.signin.sessions import SignedIn
from idp.sso.handover import PostForm, RoleRequest
from idp.web.fields import BadField, form_field, query_field
from idp.web.frames import filled_page
from idp.web.parts import parts
from idp.web.portal import LONGEST_ARN
from idp.web.security import let_forms_go_to
from idp.web.visitor import client, origin, signed_in, wanted_page

blueprint = Blueprint("aws", __name__)


@blueprint.post("/aws")
def open_role() -> Response | str:
    """A choice made in the portal."""
    wanted = RoleRequest(
        role=form_field("role", longest=LONGEST_ARN) or None,
        partition=form_field("partition", longest=20) or None,
        destination=form_field("destination", longest=4000),
        endpoint=form_field("endpoint", longest=40),
    )
    if wanted.role is None and wanted.partition is None:
        raise BadField("No role was chosen.", "Choose one in the portal.")
    own = parts()
    person = signed_in()
    if person is None:
        return redirect(url_for("sign_in.page"), 303)
    grants = own.handover.grants_of(person, client())
    return _assertion_page(grants, person, wanted)


@blueprint.get("/aws")
def deep_link() -> Response | str:
    """A link such as /aws?account=dev&role=Admin&destination=https://….

    `account` is an alias or number, `role` a name or ARN. Without a role that is named clearly,
    the portal opens with those that fit.
    """
    own = parts()
    account = query_field("account", longest=70)
    role = query_field("role", longest=LONGEST_ARN)
    partition = query_field("partition", longest=20)
    destination = query_field("destination", longest=4000)
    endpoint = query_field("endpoint", longest=40)
    if destination:
        check_destination(destination, sandbox_url=own.settings.aws.sandbox_url)
    person = signed_in()
    if person is None:
        return redirect(url_for("sign_in.page", next=wanted_page()), 303)
    grants = own.handover.grants_of(person, client())
    if partition and not role and not account:
        everything = RoleRequest(None, partition, destination, endpoint)
        return _assertion_page(grants, person, everything)
    fitting = _fitting(grants.grants, account, role)
    if len(fitting) == 1:
        wanted = RoleRequest(str(fitting[0].role), None, destination, endpoint)
        return _assertion_page(grants, person, wanted)
    if role and not fitting:
        return _assertion_page(grants, person, RoleRequest(role, None, destination, endpoint))
    search = " ".join(word for word in (account, role) if word)
    return redirect(url_for("portal.page", q=search or None, destination=destination or None), 303)


def _fitting(grants: tuple[Grant, ...], account: str, role: str) -> list[Grant]:
    return [
        grant
        for grant in grants
        if (
            not account
            or account.casefold() in (grant.account_alias.casefold(), grant.role.account)
        )
        and (
            not role
            or role in (str(grant.role), grant.role.name, grant.role.path + grant.role.name)
        )
    ]


def _assertion_page(grants: Grants, person: SignedIn, wanted: RoleRequest) -> str:
    """The page that posts the assertion; its forms can go to AWS alone."""
    own = parts()
    form = own.handover.open_role(grants, person, wanted, origin(), own.now())
    let_forms_go_to(*_form_targets(form))
    first = form.grants[0]
    several = len(form.grants) > 1
    others = tuple(
        (endpoint.code, endpoint.label)
        for endpoint in own.handover.endpoints_for(first)
        if endpoint.code != form.endpoint
    )
    return filled_page(
        "assertion.html",
        {
            "acs": form.acs,
            "expires_minutes": own.settings.saml.assertion_seconds // 60,
            "other_endpoints": others,
        },
        {
            "saml_response": form.saml_response,
            "relay_state": form.relay_state,
            "role_name": f"{len(form.grants)} roles" if several else first.role.name,
            "account_alias": (
                PARTITIONS[first.role.partition].label if several else first.account_alias
            ),
            "account_number": "" if several else first.role.account,
            "again": _address_of(wanted) if others else "",
            "request_id": g.request_id,
        },
    )


def _address_of(wanted: RoleRequest) -> str:
    """The link that asks for the same once more."""
    destination = wanted.destination or None
    return url_for(
        "aws.deep_link", role=wanted.role, partition=wanted.partition, destination=destination
    )


def _form_targets(form: PostForm) -> tuple[str, ...]:
    """The ACS, and the hosts that AWS redirects the posted form to.

    Chromium holds every redirect that follows a form to form-action, and AWS answers the post
    with a redirect from its sign-in to its console.
    """
    sandbox = parts().settings.aws.sandbox_url
    if sandbox:
        port = urlsplit(sandbox).port
        return (form.acs, *(f"http://{name}:{port}" for name in ("localhost", "127.0.0.1")))
    partition = PARTITIONS[form.grants[0].role.partition]
    console = partition.console_domain
    sign_in = partition.sign_in_host
    return (form.acs, f"https://*.{sign_in}", f"https://{console}", f"https://*.{console}")
