"""The role portal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flask import Blueprint, g, redirect, render_template, url_for
from werkzeug.wrappers import Response

from idp.aws.destination import check_destination
from idp.aws.endpoints import PARTITIONS, in_order, sign_in_endpoint
from idp.entitlements.evaluate import Grants
from idp.entitlements.grant import Grant
from idp.signin.sessions import SignedIn
from idp.sso import remembered_roles
from idp.sso.remembered_roles import PortalMemory, portal_memory
from idp.web.fields import form_field, query_field
from idp.web.parts import parts
from idp.web.visitor import client, signed_in, wanted_page

blueprint = Blueprint("portal", __name__)

LONGEST_SEARCH = 200
LONGEST_ARN = 700


@dataclass(frozen=True, slots=True)
class RoleView:
    """A role as a row shows it."""

    arn: str
    name: str
    account_alias: str
    account_number: str
    duration: str
    pinned: bool
    tags: tuple[str, ...]
    rule: str


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account and those of its roles that the search left."""

    alias: str
    number: str
    partition: str
    roles: tuple[RoleView, ...]


@blueprint.get("/")
def page() -> Response | str:
    """All roles of the person, by account; ?q= searches, ?destination= says where to land."""
    own = parts()
    search = query_field("q", longest=LONGEST_SEARCH).strip()
    destination = query_field("destination", longest=4000)
    if destination:
        check_destination(destination, sandbox_url=own.settings.aws.sandbox_url)
    person = signed_in()
    if person is None:
        return redirect(url_for("sign_in.page", next=wanted_page()), 303)
    grants = own.handover.grants_of(person, client())
    with own.database.reading() as db:
        memory = portal_memory(db, person.person_id)
    if not grants.grants:
        return _no_roles(grants)
    return _roles(person, grants, memory, search, destination)


@blueprint.post("/pins")
def pin() -> Response:
    """Pin one of the person's roles, or let it go."""
    own = parts()
    role = form_field("role", longest=LONGEST_ARN)
    wanted = bool(form_field("pinned", longest=1))
    search = form_field("q", longest=LONGEST_SEARCH)
    destination = form_field("destination", longest=4000)
    person = signed_in()
    if person is None:
        return redirect(url_for("sign_in.page"), 303)
    known = {str(grant.role) for grant in own.handover.grants_of(person, client()).grants}
    if role in known:
        with own.database.writing() as db:
            remembered_roles.pin(db, person.person_id, role, wanted)
    return redirect(url_for("portal.page", q=search or None, destination=destination or None), 303)


def _no_roles(grants: Grants) -> str:
    return render_template(
        "no_roles.html",
        person=g.person,
        contact=parts().settings.aws.contact,
        problems=_problems(grants),
    )


def _roles(
    person: SignedIn, grants: Grants, memory: PortalMemory, search: str, destination: str
) -> str:
    views = {str(grant.role): _role_view(grant, memory) for grant in grants.grants}
    accounts = tuple(_accounts(grants.grants, views, search))
    aws = parts().settings.aws
    partition = grants.grants[0].role.partition
    return render_template(
        "portal.html",
        person=person.person,
        accounts=accounts,
        pinned=[view for view in views.values() if view.pinned],
        recent=[views[arn] for arn in memory.recent if arn in views and not views[arn].pinned],
        q=search,
        total=len(views),
        shown=sum(len(account.roles) for account in accounts),
        endpoints=[
            (code, sign_in_endpoint(partition, code).label)
            for code in in_order(aws.endpoints, partition)
        ],
        destination=destination,
        problems=_problems(grants),
        choosers=_choosers(grants),
    )


def _role_view(grant: Grant, memory: PortalMemory) -> RoleView:
    return RoleView(
        arn=str(grant.role),
        name=grant.role.name,
        account_alias=grant.account_alias,
        account_number=grant.role.account,
        duration=_in_words(grant.duration),
        pinned=str(grant.role) in memory.pinned,
        tags=tuple(f"{key}={value}" for key, value in grant.tags.items()),
        rule=grant.rule,
    )


def _accounts(
    grants: Iterable[Grant], views: dict[str, RoleView], search: str
) -> Iterable[AccountView]:
    by_number: dict[str, list[Grant]] = {}
    for grant in grants:
        by_number.setdefault(grant.role.account, []).append(grant)
    for number, own_grants in by_number.items():
        first = own_grants[0]
        account = f"{first.account_alias} {number} {first.role.partition}"
        roles = tuple(
            view
            for view in (views[str(grant.role)] for grant in own_grants)
            if _matches(search, f"{account} {view.name} {' '.join(view.tags)}")
        )
        if roles:
            yield AccountView(first.account_alias, number, first.role.partition, roles)


def _matches(search: str, text: str) -> bool:
    """Every word of the search stands somewhere in the text, whatever its case."""
    folded = text.casefold()
    return all(word in folded for word in search.casefold().split())


def _choosers(grants: Grants) -> list[tuple[str, str, int]]:
    """With role_choice = "aws": each partition to continue to, its label and number of roles."""
    found = parts().handover.choosable_at_aws(grants)
    return [(name, PARTITIONS[name].label, len(roles)) for name, roles in found.items()]


def _problems(grants: Grants) -> list[str]:
    """One sentence per cause, with the roles that it withholds."""
    roles: dict[str, list[str]] = {}
    for problem in grants.problems:
        roles.setdefault(problem.message, []).append(
            f"{problem.role.name} in {problem.role.account}"
        )
    return [f"{', '.join(names)}: {message}" for message, names in roles.items()]


def _in_words(seconds: int) -> str:
    """900 to 43,200 seconds as people say it."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    words = [f"{hours} hour{'s' if hours != 1 else ''}"] if hours else []
    words += [f"{minutes} min"] if minutes else []
    words += [f"{rest} s"] if rest else []
    return " ".join(words)
