"""The preflight as a page: paste a response, read every reason for which AWS would refuse it.

Nothing that is pasted is stored or logged.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from idp.aws.arn import RoleArn
from idp.errors import IdpError
from idp.preflight import pasted, trust_policy
from idp.preflight.judging import Preflight, judge
from idp.preflight.own import own_provider
from idp.preflight.pasted import read_pasted
from idp.preflight.report import Report
from idp.preflight.role_rules import RoleQuestion
from idp.preflight.trust_policy import read_trust_policy
from idp.preflight.words import check_story, held_against, remarks, summary
from idp.web.fields import form_field
from idp.web.parts import parts
from idp.web.portal import LONGEST_ARN
from idp.web.visitor import signed_in

blueprint = Blueprint("preflight", __name__)

LARGEST_FORM = 600 * 1024  # bytes; a response of 100,000 characters is larger than other forms
LONGEST_METADATA = 400_000


@dataclass(frozen=True, slots=True)
class Filled:
    """The form as somebody filled it in."""

    response: str = ""
    metadata: str = ""
    trust_policy: str = ""
    role: str = ""
    as_issued: bool = False


@blueprint.url_value_preprocessor
def _take_larger_forms(_endpoint: str | None, _values: object) -> None:
    """Before anything reads the form: the application's own limit is for shorter ones."""
    request.max_content_length = LARGEST_FORM
    request.max_form_memory_size = LARGEST_FORM


@blueprint.get("/preflight")
def page() -> Response:
    """The empty form."""
    if not _is_somebody():
        return redirect(url_for("sign_in.page", next=url_for("preflight.page")), 303)
    return make_response(_form(Filled()))


@blueprint.post("/preflight")
def submit() -> Response:
    """Judge what was pasted."""
    if not _is_somebody():
        return redirect(url_for("sign_in.page", next=url_for("preflight.page")), 303)
    filled = Filled(
        response=form_field("response", longest=pasted.LONGEST_INPUT, verbatim=True),
        metadata=form_field("metadata", longest=LONGEST_METADATA, verbatim=True),
        trust_policy=form_field("trust_policy", longest=trust_policy.LONGEST_INPUT, verbatim=True),
        role=form_field("role", longest=LONGEST_ARN, verbatim=True).strip(),
        as_issued=bool(form_field("as_issued", longest=3)),
    )
    errors: dict[str, IdpError] = {}
    asked = _asked(filled, errors)
    if asked is None:
        return make_response(_form(filled, errors), 400)
    own = parts()
    now = own.now()
    report = judge(asked, own_provider(own.settings, lambda: own.database, now), now)
    return make_response(_form(filled, report=report))


def _is_somebody() -> bool:
    return signed_in() is not None


def _asked(filled: Filled, errors: dict[str, IdpError]) -> Preflight | None:
    """What the form asks for; None if a field can't be used, and `errors` says by name why."""
    found = policy = role = None
    try:
        found = read_pasted(filled.response)
    except IdpError as problem:
        errors["response"] = problem
    try:
        policy = read_trust_policy(filled.trust_policy) if filled.trust_policy.strip() else None
    except IdpError as problem:
        errors["trust_policy"] = problem
    try:
        role = RoleArn.parse(filled.role) if filled.role else None
    except IdpError as problem:
        errors["role"] = problem
    if found is None or errors:
        return None
    return Preflight(
        response=found,
        metadata=filled.metadata.strip(),
        role=RoleQuestion(role, policy),
        as_issued=filled.as_issued,
        sandbox_url=parts().settings.aws.sandbox_url,
    )


def _form(
    filled: Filled, errors: dict[str, IdpError] | None = None, report: Report | None = None
) -> str:
    shown: dict[str, object] = {}
    if report is not None:
        shown = {
            "summary": summary(report),
            "remarks": list(remarks(report)),
            "facts": list(held_against(report)),
            "broken": [(check, list(check_story(check))) for check in report.refusals],
        }
    return render_template(
        "preflight.html",
        filled=filled,
        errors=errors or {},
        report=report,
        entity_id=parts().settings.entity_id,
        **shown,
    )
