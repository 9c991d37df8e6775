"""How a rotation stands, account by account, for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from idp.aws.arn import ProviderArn
from idp.entitlements.account import Account
from idp.entitlements.store import stored_accounts
from idp.keys.lifecycle import find_key
from idp.keys.signing_key import KeyState, SigningKey
from idp.rotation.changed_keys import forced_turn
from idp.rotation.record import AccountProgress, Phase, Rotation, progress_of, rotation_named

LOCKED_OUT = "nobody can sign in there until it has the new certificate."
DELETE_PROVIDER = "If nobody needs it: aws iam delete-saml-provider --saml-provider-arn "


@dataclass(frozen=True, slots=True)
class AccountReport:
    """One registered account."""

    account: Account
    progress: AccountProgress

    @property
    def failed(self) -> bool:
        """Whether something is wrong that holds the rotation up, or leaves a certificate behind."""
        return self.progress.problem is not None and not self.progress.excluded

    def locked_out(self, rotation: Rotation) -> bool:
        """Whether the rotation went on without it, and it is not known to have caught up since."""
        left_out = self.progress.excluded and self.progress.held_at is None
        return left_out and rotation.activated_at is not None

    @property
    def mending(self) -> str:
        """What to do about an account that the rotation went on without."""
        return f"Run: idp aws register {self.account.alias}"

    @property
    def word(self) -> str:
        """The state in a word."""
        progress = self.progress
        if progress.excluded:
            return "EXCLUDED"
        if self.failed:
            return "FAILED"
        if progress.withdrawn_at:
            return "withdrawn"
        if progress.proved_at:
            return "proved"
        return "holds" if progress.held_at else "pending"


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """A provider that was given the next certificate, and has left the list of accounts since."""

    provider: ProviderArn
    given_at: datetime


@dataclass(frozen=True, slots=True)
class Report:
    """A rotation with its keys and accounts, and the providers that were left behind meanwhile."""

    rotation: Rotation
    old: SigningKey
    new: SigningKey
    accounts: tuple[AccountReport, ...]
    left_behind: tuple[LeftBehind, ...] = ()

    @property
    def failures(self) -> list[AccountReport]:
        """The accounts in which the last try failed."""
        return [each for each in self.accounts if each.failed]

    def waits_until(self, now: datetime) -> datetime | None:
        """The end of the overlap, if that is all that the rotation waits for."""
        rotation = self.rotation
        if rotation.phase is not Phase.OVERLAP or rotation.verified_at is None:
            return None
        if forced_turn(rotation, self.old, self.new) is not None:
            return None
        until = rotation.overlap_until
        return until if until is not None and until > now else None

    def sentences(self, now: datetime) -> list[str]:
        """What has come of it and what is left to do, in a few sentences."""
        rotation, failed = self.rotation, len(self.failures)
        some = f"{failed} account{'s' if failed > 1 else ''} failed"
        signs = "signs now" if self.new.state is KeyState.ACTIVE else f"is {self.new.state}"
        waits = self.waits_until(now)
        match rotation.phase:
            case Phase.DISTRIBUTING:
                return [
                    f"{some if failed else 'Not finished'}: key {self.old.id} still signs, and "
                    "everybody can sign in as before.",
                    "Mend what is named and run: idp certs rotate --resume. Or go on without an "
                    "account: idp certs rotate --resume --exclude ACCOUNT. Or go back: "
                    "idp certs rotate --abort",
                ]
            case Phase.OVERLAP if waits:
                return [
                    f"Key {self.new.id} {signs}. The certificate of {self.old.id} stays "
                    f"published until {waits:%Y-%m-%d %H:%M:%S} UTC.",
                    "After that run: idp certs rotate --resume (or have a timer run "
                    "idp certs rotate --schedule).",
                ]
            case Phase.OVERLAP | Phase.WITHDRAWING:
                return [
                    f"Key {self.new.id} {signs}. {some if failed else 'Not finished'}: an "
                    f"account may still hold the certificate of {self.old.id}.",
                    "Mend what is named and run: idp certs rotate --resume",
                ]
            case Phase.ABORTING:
                return [
                    f"Key {self.old.id} signs. {some if failed else 'Not finished'}: an account "
                    f"may still hold the certificate of {self.new.id}.",
                    "Mend what is named and run: idp certs rotate --abort. Or leave an account "
                    "as it is: idp certs rotate --abort --exclude ACCOUNT",
                ]
            case Phase.DONE:
                signs = signs.removesuffix(" now")
                return [f"Done: key {self.new.id} {signs}, and {self.old.id} is {self.old.state}."]
            case Phase.ABORTED:
                return [
                    f"Gone back: key {self.old.id} signs, and {self.new.id} is {self.new.state}."
                ]

    def warnings(self) -> list[str]:
        """What somebody has to look after although the rotation goes on or is over."""
        said = []
        for each in self.accounts:
            name = f"{each.account.alias} ({each.account.number})"
            if each.locked_out(self.rotation):
                said.append(f"{name} was excluded: {LOCKED_OUT} {each.mending}")
            elif each.failed and self.rotation.phase is Phase.ABORTED:
                said.append(
                    f"{name} could not be asked, and may hold the certificate of {self.new.id}. "
                    f"See: idp aws status {each.account.alias}"
                )
        said += [
            f"{each.provider} is registered no longer, and keeps the certificates of "
            f"{self.old.id} and {self.new.id}: nothing is withdrawn there. {DELETE_PROVIDER}"
            f"{each.provider}"
            for each in self.left_behind
        ]
        return said

    def document(self) -> dict[str, Any]:
        """The report as JSON values; times in ISO 8601."""
        rotation = self.rotation
        return {
            "id": rotation.id,
            "phase": rotation.phase.value,
            "old_key": {"id": self.old.id, "state": self.old.state.value},
            "next_key": {"id": self.new.id, "state": self.new.state.value},
            "started_at": _time(rotation.started_at),
            "started_by": rotation.started_by,
            "activated_at": _time(rotation.activated_at),
            "overlap_until": _time(rotation.overlap_until),
            "verified_at": _time(rotation.verified_at),
            "ended_at": _time(rotation.ended_at),
            "accounts": [_account(each) for each in self.accounts],
            "left_behind": [
                {
                    "provider": str(each.provider),
                    "number": each.provider.account,
                    "held_at": _time(each.given_at),
                }
                for each in self.left_behind
            ],
        }


def report_of(session: Session, rotation_id: str) -> Report:
    """How the rotation of that identifier stands. Raises RotationRefused."""
    rotation = rotation_named(session, rotation_id)
    progress = progress_of(session, rotation_id)
    accounts = stored_accounts(session)
    registered = {account.provider for account in accounts}
    return Report(
        rotation,
        find_key(session, rotation.old_key_id),
        find_key(session, rotation.next_key_id),
        tuple(
            AccountReport(account, progress.get(account.provider, AccountProgress()))
            for account in accounts
        ),
        tuple(
            LeftBehind(provider, known.given_at)
            for provider, known in sorted(progress.items(), key=lambda each: str(each[0]))
            if known.given_at and provider not in registered
        ),
    )


def _account(each: AccountReport) -> dict[str, Any]:
    progress, problem = each.progress, each.progress.problem
    return {
        "number": each.account.number,
        "alias": each.account.alias,
        "provider": str(each.account.provider),
        "state": each.word.lower(),
        "held_at": _time(progress.held_at),
        "proved_at": _time(progress.proved_at),
        "withdrawn_at": _time(progress.withdrawn_at),
        "excluded_at": _time(progress.excluded_at),
        "problem": problem
        and {"kind": problem.kind, "message": problem.message, "advice": problem.advice},
    }


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
