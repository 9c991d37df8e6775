"""moto, behind the sandbox: everything that isn't SAML, and the roles that IAM holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from idp.aws.arn import RoleArn
from idp.errors import IdpError

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


class SandboxNotInstalled(IdpError):
    """moto isn't there."""


@dataclass(frozen=True, slots=True)
class IamRole:
    """What IAM holds of a role. `longest` is MaxSessionDuration in seconds."""

    arn: str
    role_id: str
    trust_policy: str
    longest: int


class Behind:
    """An AWS made of moto, in this process; it opens no connection. Its state is the process's."""

    def __init__(self) -> None:
        try:
            from moto.iam.models import iam_backends
            from moto.moto_server.werkzeug_app import (
                DomainDispatcherApplication,
                create_backend_app,
            )
        except ImportError as problem:
            raise SandboxNotInstalled(
                f"The sandbox needs moto, which can't be loaded ({problem.name or problem}).",
                "Install it: pip install 'idp[sandbox]'",
            ) from None
        self._iam = iam_backends
        self._wsgi = DomainDispatcherApplication(create_backend_app)

    def answer(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Hand a request on; the caller has put X-Moto-Account-Id into it."""
        answered: Iterable[bytes] = self._wsgi(environ, start_response)
        return answered

    def role(self, arn: RoleArn) -> IamRole | None:
        """The role with exactly this ARN, or None."""
        for role in list(self._iam[arn.account][arn.partition].roles.values()):
            if role.arn == str(arn):
                return IamRole(
                    role.arn,
                    role.id,
                    str(role.assume_role_policy_document),
                    int(role.max_session_duration or 3600),
                )
        return None

    def alias(self, account: str, partition: str) -> str:
        """The account's alias, or nothing."""
        return str(next(iter(self._iam[account][partition].account_aliases), ""))

    def account_of(self, access_key: str) -> str | None:
        """The account in which IAM or STS of moto made this access key, or None."""
        for account, partitions in list(self._iam.items()):
            for backend in list(partitions.values()):
                if access_key in backend.access_keys:
                    return str(account)
        return None
