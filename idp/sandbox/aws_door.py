"""The AWS API: who calls, what the sandbox answers itself, and what moto answers."""

from __future__ import annotations

import hmac
import io
import json
import logging
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

from idp.sandbox.behind import Behind, Environ, StartResponse
from idp.sandbox.endpoints import partition_of
from idp.sandbox.iam_api import IamSamlApi
from idp.sandbox.query_api import Caller, Fields, render_error, render_result
from idp.sandbox.refusal import AwsRefusal
from idp.sandbox.sessions import RoleSession, Sessions
from idp.sandbox.signature_v4 import Signed, read_authorization, signature_fits
from idp.sandbox.sts_api import StsApi, caller_identity
from idp.sandbox.trail import TARGET, Trail

MOST_BYTES = 64 * 1024 * 1024
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_NOT_FOR_SESSIONS = ("GetSessionToken", "GetFederationToken")

log = logging.getLogger(__name__)


def is_api_call(request: Request) -> bool:
    """Whether a request speaks to the API, not to the sign-in pages."""
    return (
        request.headers.get("Authorization", "").startswith("AWS4-")
        or "X-Amz-Credential" in request.args
        or (request.method == "POST" and request.path == "/")
    )


class AwsDoor:
    """A WSGI application that answers unmodified AWS SDKs.

    An access key that is a 12-digit number means the administrator of that account, whatever the
    secret. The sandbox's own credentials are held to their signature, token and expiry.
    """

    def __init__(
        self,
        sts: StsApi,
        iam: IamSamlApi,
        sessions: Sessions,
        behind: Behind,
        trail: Trail,
        clock: Callable[[], datetime],
    ) -> None:
        self._sts = sts
        self._iam = iam
        self._sessions = sessions
        self._behind = behind
        self._trail = trail
        self._clock = clock

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one API call."""
        request = Request(environ)
        if request.path.startswith("/moto-api"):
            return Response("There is nothing at this address.\n", 404)(environ, start_response)
        signed = read_authorization(request.headers.get("Authorization", ""), request.args)
        service = signed.service if signed else "sts"
        try:
            body = _read_body(request)
            action, fields = _action(request, body)
            if signed is None:
                answer = self._unsigned(action, fields)
                return _xml(answer)(environ, start_response)
            caller = self._caller(signed, request, body, action)
            if request.headers.get("X-Amz-Target", "").endswith(TARGET):
                found = self._trail.lookup(body, caller.account)
                answer_json = Response(found, mimetype="application/x-amz-json-1.1")
                return answer_json(environ, start_response)
            own = self._own(service, action, fields, caller)
            if own is not None:
                return _xml(own)(environ, start_response)
            return self._hand_on(environ, body, caller, start_response)
        except AwsRefusal as refusal:
            return _refusal(service, request, refusal)(environ, start_response)

    def _unsigned(self, action: str, fields: Fields) -> bytes:
        if action not in self._sts.unsigned:
            raise AwsRefusal(
                "MissingAuthenticationToken", "Request is missing Authentication Token", 403
            )
        return render_result("sts", action, self._sts.unsigned[action](fields, self._clock()))

    def _own(self, service: str, action: str, fields: Fields, caller: Caller) -> bytes | None:
        """The answer to what the sandbox does itself; None for everything else."""
        if service == "sts":
            if action in self._sts.unsigned:
                return self._unsigned(action, fields)
            if action == "AssumeRoleWithWebIdentity":
                raise AwsRefusal("AccessDenied", f"The sandbox does not do {action}.", 403)
            if action == "GetCallerIdentity" and caller.arn:
                return render_result(service, action, caller_identity(caller))
        if service == "iam" and action in self._iam.actions:
            answer = self._iam.actions[action](fields, caller, self._clock())
            return render_result(service, action, answer)
        return None

    def _caller(self, signed: Signed, request: Request, body: bytes, action: str) -> Caller:
        partition = partition_of(signed.region)
        if _ACCOUNT.fullmatch(signed.access_key):
            account = signed.access_key
            return Caller(account, partition, f"arn:{partition}:iam::{account}:root", account)
        session = self._sessions.find(signed.access_key)
        if session is None:
            account_found = self._behind.account_of(signed.access_key)
            if account_found is None:
                raise _unknown(signed)
            return Caller(account_found, partition)
        self._check_session(session, signed, request, body)
        if action in _NOT_FOR_SESSIONS and signed.service == "sts":
            raise AwsRefusal("AccessDenied", f"Cannot call {action} with session credentials", 403)
        role = session.role
        if role.partition != partition:
            raise _unknown(signed)
        return Caller(role.account, role.partition, session.arn, session.user_id)

    def _check_session(
        self, session: RoleSession, signed: Signed, request: Request, body: bytes
    ) -> None:
        token = request.headers.get("X-Amz-Security-Token") or request.args.get(
            "X-Amz-Security-Token", ""
        )
        if not hmac.compare_digest(token.encode(), session.token.encode()):
            raise _unknown(signed)
        if self._clock() >= session.expires:
            code = "ExpiredToken"
            raise AwsRefusal(code, "The security token included in the request is expired", 403)
        if signed.signature and not signature_fits(
            signed,
            session.secret_key,
            method=request.method,
            url=_url_as_sent(request),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=body,
        ):
            raise AwsRefusal(
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. "
                "Check your AWS Secret Access Key and signing method.",
                403,
            )

    def _hand_on(
        self, environ: Environ, body: bytes, caller: Caller, start_response: StartResponse
    ) -> Iterable[bytes]:
        inner = {name: value for name, value in environ.items() if not name.startswith("werkzeug.")}
        inner.pop("HTTP_TRANSFER_ENCODING", None)
        inner["wsgi.input"] = io.BytesIO(body)
        inner["CONTENT_LENGTH"] = str(len(body))
        inner["HTTP_X_MOTO_ACCOUNT_ID"] = caller.account
        try:
            return self._behind.answer(inner, _without_cors(start_response))
        except Exception:  # moto lets programming errors through; none may end the connection
            log.warning("moto could not answer %s %s", inner["REQUEST_METHOD"], inner["PATH_INFO"])
            raise AwsRefusal(
                "NotImplemented", "The sandbox can't do this call, or not with these parameters."
            ) from None


def _without_cors(start_response: StartResponse) -> StartResponse:
    """Let no answer of moto be read by the pages of other origins, which it would welcome."""

    def start(status: str, headers: list[tuple[str, str]], *problem: Any) -> Any:
        kept = [each for each in headers if not each[0].lower().startswith("access-control-")]
        return start_response(status, kept, *problem)

    return start


def _read_body(request: Request) -> bytes:
    request.max_content_length = MOST_BYTES
    if (request.content_length or 0) > MOST_BYTES:
        raise AwsRefusal("RequestEntityTooLarge", "The request is too large.", 413)
    try:
        return request.get_data(cache=True, parse_form_data=False)
    except HTTPException as problem:
        status = problem.code or 400
        raise AwsRefusal("MalformedInput", "The request can't be read.", status) from None


def _action(request: Request, body: bytes) -> tuple[str, Fields]:
    """The action and fields of a query request; an empty action for any other kind."""
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if request.path != "/" or kind != "application/x-www-form-urlencoded":
        return "", Fields({})
    fields = Fields.read(body)
    return fields.get("Action") or "", fields


def _url_as_sent(request: Request) -> str:
    raw = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or request.full_path
    return f"{request.scheme}://{request.host}{raw}"


def _unknown(signed: Signed) -> AwsRefusal:
    if signed.service == "s3":
        return AwsRefusal(
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
            403,
        )
    kind = (
        "InvalidClientTokenId"
        if signed.service in ("sts", "iam")
        else ("UnrecognizedClientException")
    )
    return AwsRefusal(kind, "The security token included in the request is invalid.", 403)


def _xml(body: bytes) -> Response:
    return Response(body, mimetype="text/xml")


def _refusal(service: str, request: Request, refusal: AwsRefusal) -> Response:
    """The refusal in the dialect of the service's protocol."""
    if request.headers.get("X-Amz-Target"):
        body = json.dumps({"__type": refusal.code, "message": refusal.message})
        return Response(body, refusal.status, mimetype="application/x-amz-json-1.1")
    if service == "s3":
        # S3 says 400 where others say 403 for a token that has expired.
        status = 400 if refusal.code == "ExpiredToken" else refusal.status
        text = f"<Code>{refusal.code}</Code><Message>{escape(refusal.message)}</Message>"
        return Response(f"<Error>{text}</Error>", status, mimetype="application/xml")
    return Response(render_error(service, refusal), refusal.status, mimetype="text/xml")
