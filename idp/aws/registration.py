"""Bringing the SAML provider of an account to what we publish, and reading it back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from botocore.exceptions import ClientError

from idp.aws.account_refusal import AccountRefusal, code_of, refusal_of, retries_before
from idp.aws.arn import ProviderArn
from idp.aws.iam import AccountTarget, OpenedAccount, Reach, open_account
from idp.aws.provider_content import Difference, ProviderContent, compare, publishable

_TURNS = 5
# IAM answers from copies that catch up after a while (IAM User Guide, "eventual consistency").
_READ_BACK_PAUSES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
_MOVED = ("EntityAlreadyExists", "ConcurrentModification", "NoSuchEntity")


class Outcome(StrEnum):
    """What registering did, or in a dry run would do."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    WOULD_CREATE = "would create"
    WOULD_UPDATE = "would update"

    @property
    def changed(self) -> bool:
        """Whether the account was changed."""
        return self in (Outcome.CREATED, Outcome.UPDATED)


@dataclass(frozen=True, slots=True)
class HeldProvider:
    """A SAML provider as IAM gives it; `uuid` and `encryption` are empty where AWS says nothing."""

    document: bytes
    uuid: str
    encryption: str
    private_keys: int


@dataclass(frozen=True, slots=True)
class Registration:
    """What was done in an account: `before` is how it differed.

    `unchecked` says why a change that AWS accepted could not be read back; None is the good case.
    """

    outcome: Outcome
    before: Difference
    provider: HeldProvider | None
    unchecked: AccountRefusal | None = None


@dataclass(frozen=True, slots=True)
class Inspection:
    """What an account holds (None: no such provider) and how that differs from what we publish."""

    provider: HeldProvider | None
    difference: Difference


def register_account(
    target: AccountTarget,
    metadata: bytes,
    reach: Reach,
    *,
    dry_run: bool = False,
    take_over: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> Registration:
    """Enter an account and bring its SAML provider to `metadata`. Raises AccountRefusal.

    `take_over` replaces a provider in which nothing is ours. When `stopped` begins to say true,
    nothing more is changed.
    """
    if stopped():
        raise _stopped()
    with open_account(target, reach) as account:
        return bring_up_to_date(
            account,
            target.provider,
            metadata,
            dry_run=dry_run,
            take_over=take_over,
            stopped=stopped,
        )


def inspect_account(target: AccountTarget, metadata: bytes, reach: Reach) -> Inspection:
    """Enter an account and compare its SAML provider with `metadata`. Raises AccountRefusal."""
    with open_account(target, reach) as account:
        held = held_provider(account, target.provider)
    return Inspection(held, _difference(held, publishable(metadata)))


def held_provider(account: OpenedAccount, arn: ProviderArn) -> HeldProvider | None:
    """The provider with this ARN, or None. Raises what boto3 raises."""
    try:
        found = account.iam.get_saml_provider(SAMLProviderArn=str(arn))
    except ClientError as problem:
        if code_of(problem) == "NoSuchEntity":
            return None
        raise
    return HeldProvider(
        found.get("SAMLMetadataDocument", "").encode(),
        found.get("SAMLProviderUUID", ""),
        found.get("AssertionEncryptionMode", ""),
        len(found.get("PrivateKeyList", [])),
    )


def bring_up_to_date(
    account: OpenedAccount,
    arn: ProviderArn,
    metadata: bytes,
    *,
    dry_run: bool = False,
    take_over: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> Registration:
    """Create or update the provider if it differs, and read it back.

    Nothing that changes anything is called when it says the same already, so it may be called as
    often as one likes, also after it was cut off at any point. When somebody else changes the
    provider at the same time, it looks again. Raises AccountRefusal, and what boto3 raises.
    """
    published = publishable(metadata)
    before: Difference | None = None
    lost = Outcome.UNCHANGED  # what a try did whose answer got lost
    for turn in range(_TURNS):
        held = held_provider(account, arn)
        found = _difference(held, published)
        before = before or found
        if found.nothing:
            return Registration(lost, before, held)
        if found.foreign and not take_over:
            raise _belongs_to_another(arn, found)
        if dry_run:
            wanted = Outcome.WOULD_UPDATE if held else Outcome.WOULD_CREATE
            return Registration(wanted, before, held)
        if stopped():
            raise _stopped()
        outcome = Outcome.UPDATED if held else Outcome.CREATED
        try:
            _push(account, arn, metadata, outcome)
        except ClientError as problem:
            if code_of(problem) not in _MOVED:
                raise
            if retries_before(problem):
                lost = outcome
            account.pause(0.5 * turn)
            continue
        return _read_back(account, arn, published, outcome, before)
    raise AccountRefusal(
        "concurrent",
        f"Somebody else keeps changing {arn}.",
        "Find out who does, then run it again.",
    )


def _push(account: OpenedAccount, arn: ProviderArn, metadata: bytes, outcome: Outcome) -> None:
    text = metadata.decode("utf-8")
    if outcome is Outcome.CREATED:
        account.iam.create_saml_provider(Name=arn.name, SAMLMetadataDocument=text)
    else:
        account.iam.update_saml_provider(SAMLProviderArn=str(arn), SAMLMetadataDocument=text)


def _read_back(
    account: OpenedAccount,
    arn: ProviderArn,
    published: ProviderContent,
    outcome: Outcome,
    before: Difference,
) -> Registration:
    held: HeldProvider | None = None
    left = Difference(absent=True)
    try:
        for seconds in _READ_BACK_PAUSES:
            account.pause(seconds)
            held = held_provider(account, arn)
            left = _difference(held, published)
            if left.nothing:
                return Registration(outcome, before, held)
    except Exception as problem:  # the change is made; whoever called has to hear of it
        refusal = refusal_of(problem, arn, "the same credentials")
        unread = AccountRefusal(
            refusal.kind,
            f"AWS took the metadata, but it could not be read back: {refusal.message}",
            refusal.advice,
        )
        return Registration(outcome, before, None, unread)
    return Registration(
        outcome,
        before,
        held,
        AccountRefusal(
            "not_held",
            f"AWS took the metadata, but what it holds is still different: {left.words()}.",
            "Somebody else may have changed it. Run it again.",
        ),
    )


def _difference(held: HeldProvider | None, published: ProviderContent) -> Difference:
    return compare(held.document if held else None, published)


def _belongs_to_another(arn: ProviderArn, found: Difference) -> AccountRefusal:
    return AccountRefusal(
        "foreign",
        f"{arn} belongs to another identity provider, it seems: {found.words()}.",
        "Choose another name (idp aws account add … --provider NAME --update), "
        "or replace it with --take-over: sign-in through that provider then ends.",
    )


def _stopped() -> AccountRefusal:
    return AccountRefusal("stopped", "Not done: it was stopped before.", "Run it again.")
