"""Our metadata into many accounts at once, and which of them hold a certificate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from idp.aws.account_refusal import AccountRefusal, refusal_of
from idp.aws.iam import AccountTarget, Reach, open_account
from idp.aws.provider_content import publishable, read_content
from idp.aws.registration import Registration, held_provider, register_account
from idp.aws.side_by_side import side_by_side
from idp.entitlements.account import Account
from idp.saml.xml import BadXml

WORKERS = 4
# What may pass after an account's time: an answer still on its way, and the wait before a retry.
GRACE_SECONDS = 30


def distribute(
    accounts: Sequence[Account],
    metadata: bytes,
    reach: Reach,
    *,
    workers: int = WORKERS,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[Account, Registration | AccountRefusal]]:
    """Bring the SAML provider of each account to `metadata` and read it back, as they come.

    A provider that is missing is made; one that serves another identity provider is refused. What
    AWS took but would not show again is a refusal too, for nobody knows that it is held. Once
    `stopped` says true no account is changed any more. Raises UnfitMetadata before anything is
    done, also for more than ten certificates.
    """
    publishable(metadata)
    work = side_by_side(
        accounts,
        lambda account: register_account(target_of(account), metadata, reach, stopped=stopped),
        workers=workers,
        longest=reach.total + GRACE_SECONDS,
        stopped=stopped,
    )
    for account, answer in work:
        if isinstance(answer, Exception):
            yield account, _refusal(account, answer)
        else:
            yield account, answer.unchecked or answer


def holding(
    accounts: Sequence[Account],
    certificate_fingerprint: str,
    reach: Reach,
    *,
    issuer: str = "",
    workers: int = WORKERS,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[Account, bool | AccountRefusal]]:
    """Whether the SAML provider of each account holds a certificate, as the answers come.

    `certificate_fingerprint` is SHA-256 in lower-case hex. With `issuer` the provider must be for
    that entity ID as well. An account that can't be asked is a refusal. Changes nothing.
    """
    work = side_by_side(
        accounts,
        lambda account: _holds(account, certificate_fingerprint, issuer, reach),
        workers=workers,
        longest=reach.total + GRACE_SECONDS,
        stopped=stopped,
    )
    for account, answer in work:
        yield account, _refusal(account, answer) if isinstance(answer, Exception) else answer


def target_of(account: Account) -> AccountTarget:
    """The account as the AWS side of the project knows it."""
    return AccountTarget(account.provider, account.profile, account.access_role)


def _holds(account: Account, fingerprint: str, issuer: str, reach: Reach) -> bool:
    with open_account(target_of(account), reach) as opened:
        held = held_provider(opened, account.provider)
    if held is None:
        return False
    try:
        content = read_content(held.document)
    except BadXml:
        return False
    return fingerprint in content.certificates and (not issuer or issuer in content.issuers)


def _refusal(account: Account, problem: Exception) -> AccountRefusal:
    target = target_of(account)
    return refusal_of(problem, target.provider, target.access)
