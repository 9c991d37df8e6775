"""The sandbox put together: sign-in pages and AWS API at one address, on loopback only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from urllib.parse import urlsplit

from werkzeug.wrappers import Request, Response

from idp.errors import IdpError
from idp.sandbox.assume import Gate
from idp.sandbox.aws_door import AwsDoor, is_api_call
from idp.sandbox.behind import Behind, Environ, StartResponse
from idp.sandbox.console import create_console
from idp.sandbox.iam_api import IamSamlApi
from idp.sandbox.page_requests import own_origins, sent_by_another_page
from idp.sandbox.providers import SamlProviders
from idp.sandbox.sessions import Sessions
from idp.sandbox.sts_api import StsApi
from idp.sandbox.trail import Trail

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_NOT_FOR_PAGES = (
    "The sandbox's AWS API doesn't answer other web pages: call it with an SDK or the AWS CLI, "
    "or open a presigned URL by typing it into the address bar.\n"
)


class NotLoopback(IdpError):
    """The sandbox was asked to be reachable from elsewhere."""


class Sandbox:
    """A WSGI application: an AWS that refuses what AWS refuses."""

    def __init__(self, address: str, clock: Callable[[], datetime]) -> None:
        self.address = address
        self._origins = own_origins(address)
        self.providers = SamlProviders()
        self.sessions = Sessions()
        behind = Behind()
        trail = Trail()
        gate = Gate(self.providers, self.sessions, behind.role, trail)
        self._pages = create_console(address, gate, self.providers, behind.alias, clock)
        self._api = AwsDoor(
            StsApi(gate, address),
            IamSamlApi(self.providers),
            self.sessions,
            behind,
            trail,
            clock,
        )

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, of a browser or of an SDK."""
        request = Request(environ)
        # A name that resolves to 127.0.0.1 must not open the sandbox to a web page (rebinding).
        if not _names_loopback(environ.get("HTTP_HOST", "")):
            refusal = Response("The sandbox answers at 127.0.0.1 and localhost only.\n", 421)
            return refusal(environ, start_response)
        if is_api_call(request):
            # Whoever knows an account number is its administrator here: no web page may be.
            if sent_by_another_page(request, self._origins):
                return Response(_NOT_FOR_PAGES, 403)(environ, start_response)
            return self._api(environ, start_response)
        return self._pages(environ, start_response)


def create_sandbox(
    address: str, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Sandbox:
    """A sandbox that is reached at `address`, like http://127.0.0.1:8081.

    Its sign-in endpoints, and so every Recipient, begin with that address. Raises NotLoopback, and
    SandboxNotInstalled without moto. S3, KMS, IAM and the like are moto's, whose state belongs to
    the process: two sandboxes in one process share their roles and buckets.
    """
    parts = urlsplit(address)
    if parts.scheme != "http" or parts.hostname not in LOOPBACK:
        raise NotLoopback(
            f"The sandbox can't be at {address}: it would hand out credentials to the network.",
            "Use http:// and 127.0.0.1, localhost or [::1].",
        )
    return Sandbox(address.rstrip("/"), clock)


def _names_loopback(host: str) -> bool:
    try:
        return urlsplit(f"//{host}").hostname in LOOPBACK
    except ValueError:
        return False
