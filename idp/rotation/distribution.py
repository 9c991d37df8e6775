"""Our metadata into the SAML providers of many accounts, read back from each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from idp.aws.account_refusal import AccountRefusal, refusal_of
from idp.aws.iam import AccountTarget, Reach
from idp.aws.registration import Registration, register_account
from idp.aws.side_by_side import side_by_side
from idp.entitlements.account import Account

GRACE_SECONDS = 30


def distribute(
    accounts: Sequence[Account],
    metadata: bytes,
    reach: Reach,
    *,
    workers: int,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[Account, Registration | AccountRefusal]]:
    """Bring every account to `metadata`; a Registration means that it was read back so."""

    def target(account: Account) -> AccountTarget:
        return AccountTarget(account.provider, account.profile, account.access_role)

    for account, answer in side_by_side(
        accounts,
        lambda account: register_account(target(account), metadata, reach, stopped=stopped),
        workers=workers,
        longest=reach.total + GRACE_SECONDS,
        stopped=stopped,
    ):
        if isinstance(answer, Registration):
            yield account, answer.unchecked or answer
        else:
            yield account, refusal_of(answer, account.provider, target(account).access)
