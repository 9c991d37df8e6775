"""What a rotation asks of AWS, over many accounts at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from idp.aws.account_refusal import AccountRefusal, refusal_of
from idp.aws.arn import RoleArn
from idp.aws.assume_with_saml import assume_with_saml
from idp.aws.iam import SHORTEST_SESSION, Reach
from idp.aws.registration import Registration
from idp.aws.side_by_side import side_by_side
from idp.entitlements.account import Account
from idp.rotation.distribution import GRACE_SECONDS, WORKERS, distribute, holding

Stopped = Callable[[], bool]


class AwsSide(Protocol):
    """Gives the answers of accounts as they come; an account that fails is a refusal."""

    def distribute(
        self, accounts: Sequence[Account], metadata: bytes, stopped: Stopped
    ) -> Iterator[tuple[Account, Registration | AccountRefusal]]:
        """Bring the SAML provider of each account to `metadata` and read it back."""
        ...

    def holding(
        self, accounts: Sequence[Account], fingerprint: str, issuer: str, stopped: Stopped
    ) -> Iterator[tuple[Account, bool | AccountRefusal]]:
        """Whether the SAML provider of each account holds a certificate."""
        ...

    def prove(
        self,
        accounts: Sequence[Account],
        assertion_for: Callable[[Account], str],
        stopped: Stopped,
    ) -> Iterator[tuple[Account, str | AccountRefusal]]:
        """Open a session of each account's probe role with an assertion; its ARN is the proof."""
        ...


@dataclass(frozen=True, slots=True)
class RealAws:
    """AWS, or a sandbox, as `reach` says."""

    reach: Reach
    workers: int = WORKERS

    def distribute(
        self, accounts: Sequence[Account], metadata: bytes, stopped: Stopped
    ) -> Iterator[tuple[Account, Registration | AccountRefusal]]:
        """As AwsSide says."""
        return distribute(accounts, metadata, self.reach, workers=self.workers, stopped=stopped)

    def holding(
        self, accounts: Sequence[Account], fingerprint: str, issuer: str, stopped: Stopped
    ) -> Iterator[tuple[Account, bool | AccountRefusal]]:
        """As AwsSide says."""
        return holding(
            accounts,
            fingerprint,
            self.reach,
            issuer=issuer,
            workers=self.workers,
            stopped=stopped,
        )

    def prove(
        self,
        accounts: Sequence[Account],
        assertion_for: Callable[[Account], str],
        stopped: Stopped,
    ) -> Iterator[tuple[Account, str | AccountRefusal]]:
        """As AwsSide says."""

        def prove_one(account: Account) -> str:
            role = RoleArn.parse(account.probe_role or "")
            assertion = assertion_for(account)
            return assume_with_saml(role, account.provider, assertion, self.reach, SHORTEST_SESSION)

        work = side_by_side(
            accounts,
            prove_one,
            workers=self.workers,
            longest=self.reach.total + GRACE_SECONDS,
            stopped=stopped,
        )
        for account, answer in work:
            if isinstance(answer, Exception):
                yield account, refusal_of(answer, account.provider, "the probe role")
            else:
                yield account, answer
