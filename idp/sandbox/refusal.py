"""A refusal by the sandbox, in the words of AWS."""

from __future__ import annotations

from idp.errors import IdpError
from idp.sandbox.judge import AwsError, Check


class AwsRefusal(IdpError):
    """What AWS would answer: an error code, its message and an HTTP status.

    `checks` are the broken rules of the response, `reasons` further sentences that explain it;
    both are for people, AWS itself says no more than the message.
    """

    def __init__(
        self,
        code: str,
        message: str,
        status: int = 400,
        *,
        advice: str = "",
        checks: tuple[Check, ...] = (),
        reasons: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message, advice)
        self.code = code
        self.status = status
        self.checks = checks
        self.reasons = reasons

    @classmethod
    def of(cls, error: AwsError, *reasons: str, checks: tuple[Check, ...] = ()) -> AwsRefusal:
        """The refusal for `error`."""
        return cls(error.code, error.message, error.status, checks=checks, reasons=reasons)
