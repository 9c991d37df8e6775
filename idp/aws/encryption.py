"""Encrypted assertions in one account: switched on, given a new key, switched off.

Each step is kept before and after it is made, so that a process that ends anywhere leaves enough
for the next run to go on or to go back. People can sign in at every moment: IAM takes what we send
before we send it, and still takes it a while after we have stopped.
Source: IAM User Guide, "Create a SAML identity provider in IAM", Manage SAML encryption keys.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from idp.aws import trust_update
from idp.aws.account_refusal import AccountRefusal, code_of, refusal_of
from idp.aws.decryption_keys import ABSENT, ALLOWED, MOST_KEYS, REQUIRED, HeldKeys, ProviderKeys
from idp.aws.encryption_state import ANOTHER_RUN, Act, ChangedTrust, EncryptionState, Record, Work
from idp.aws.iam import AccountTarget, OpenedAccount, Reach, open_account
from idp.saml.encryption import EncryptionKey


class Outcome(StrEnum):
    """What was done, or in a dry run would be."""

    ENABLED = "enabled"
    ROTATED = "rotated"
    DISABLED = "disabled"
    UNCHANGED = "unchanged"
    WOULD_ENABLE = "would enable"
    WOULD_ROTATE = "would rotate"
    WOULD_DISABLE = "would disable"


@dataclass(frozen=True, slots=True)
class Wish:
    """How a change is to be made.

    `addresses` gives the sign-in URLs for a provider's identifier, `make_key` a new key pair.
    `settle` is how many seconds AWS's copies, and assertions on their way, are given.
    """

    addresses: Callable[[str], Sequence[str]]
    make_key: Callable[[], RSAPrivateKey]
    update_trust: bool = False
    check_trust: bool = True
    settle: float = 10
    dry_run: bool = False
    stopped: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class Done:
    """How it went: `trust` are the trust policies changed, or in a dry run to be changed."""

    outcome: Outcome
    trust: tuple[ChangedTrust, ...] = ()
    proven: bool = False
    notes: tuple[str, ...] = field(default=())


class TrustLacking(AccountRefusal):
    """Roles would refuse everybody at the provider's own address. `changes` is what they need."""

    def __init__(self, changes: tuple[ChangedTrust, ...]) -> None:
        names = ", ".join(change.role for change in changes[:5])
        more = f" and {len(changes) - 5} more" if len(changes) > 5 else ""
        super().__init__(
            "trust_policy",
            f"Trust policies don't allow the provider's own address yet: {names}{more}.",
            "Nothing was changed. Change them as shown, or give --update-trust.",
        )
        self.changes = changes


def enable(target: AccountTarget, reach: Reach, record: Record, wish: Wish) -> Done:
    """Bring an account to encrypted assertions only. Raises AccountRefusal, and rolls back first.

    Run again after it was cut off, it goes on, or begins anew.
    """
    try:
        with open_account(target, reach) as account:
            return _Account(account, record, wish).enable()
    except Exception as problem:
        raise _rolled_back(target, reach, record, wish, problem) from None


def rotate(target: AccountTarget, reach: Reach, record: Record, wish: Wish) -> Done:
    """Give an account with encryption a new key, and take the old one away.

    Raises AccountRefusal. Before the new key is in use it rolls back; after that only the old
    key's removal is left, which the next run makes up for.
    """
    try:
        with open_account(target, reach) as account:
            return _Account(account, record, wish).rotate()
    except Exception as problem:
        raise _rolled_back(target, reach, record, wish, problem) from None


def disable(target: AccountTarget, reach: Reach, record: Record, wish: Wish) -> Done:
    """Bring an account back to plain assertions. Raises AccountRefusal.

    It only goes forward: what is left after a failure is done by the next run.
    """
    with open_account(target, reach) as account:
        return _Account(account, record, wish).disable()


def _rolled_back(
    target: AccountTarget, reach: Reach, record: Record, wish: Wish, problem: Exception
) -> AccountRefusal:
    """Undo in a session of its own, for the time of the first one may be up."""
    refusal = refusal_of(problem, target.provider, target.access, target.source)
    if refusal.kind == ANOTHER_RUN or wish.dry_run or record.read().work is Work.NONE:
        return refusal
    try:
        with open_account(target, reach) as account:
            told = _Account(account, record, wish).roll_back(refusal)
    except Exception as problem:
        again = refusal_of(problem, target.provider, target.access, target.source)
        return AccountRefusal(
            "unfinished",
            f"{refusal.message} And it could not be undone: {again.message}",
            "People can still sign in. Run it again: it goes on, or back, from here.",
        )
    return AccountRefusal(refusal.kind, f"{refusal.message} {told}".strip(), refusal.advice)


class _Account:
    """The steps in one opened account."""

    def __init__(self, account: OpenedAccount, record: Record, wish: Wish) -> None:
        self._account = account
        self._record = record
        self._wish = wish
        self._keys = ProviderKeys(account, record.provider)

    def enable(self) -> Done:
        if not self._wish.dry_run:
            self._end_what_was_begun(self._record.read())
        held, state = self._keys.look(), self._record.read()
        if state.key is not None:
            _refuse_if_lost(state, held)
            return self._require(state, held)
        _refuse_without_room(held, keep=())
        changes = self._trust_to_change(held)
        if self._wish.dry_run:
            return Done(Outcome.WOULD_ENABLE, changes)
        state = self._begin(state, held, Work.ENABLE)
        state = self._write_trust(state, changes)
        state = self._upload(state, held)
        self._keys.set_mode(ALLOWED)
        proven = self._prove(state, held.uuid)
        state = replace(
            state,
            key=state.pending,
            key_id=state.pending_id,
            provider_id=held.uuid,
            pending=None,
            pending_id="",
        )
        self._record.keep(state, Act.ENABLED, key=_fingerprint(state.key), provider_id=held.uuid)
        self._account.pause(self._wish.settle)
        done = self._require(state, self._keys.look())
        return replace(done, trust=changes, proven=proven)

    def _end_what_was_begun(self, state: EncryptionState) -> None:
        if state.work is Work.ENABLE and state.key is None:
            self._drop_pending(state)
        elif state.work is Work.ROTATE:
            self.rotate()
        elif state.work is Work.DISABLE:
            self.disable()

    def rotate(self) -> Done:
        held, state = self._keys.look(), self._record.read()
        if state.key is None:
            raise AccountRefusal(
                "not_encrypted",
                "Assertions for this account are not encrypted.",
                "Begin with: idp aws encryption enable",
            )
        if held.uuid != state.provider_id:
            _refuse_if_lost(state, held)
        if self._wish.dry_run:
            return Done(Outcome.WOULD_ROTATE)
        if state.work is Work.ROTATE and state.retiring:
            return self._retire(state, proven=False)
        if state.work is Work.ROTATE:
            state = self._drop_pending(state)
            held = self._keys.look()
        elif state.work is not Work.NONE:
            raise AccountRefusal(
                "unfinished",
                f"The account is in the middle of: {state.work.value}.",
                f"First run: idp aws encryption {state.work.value}",
            )
        _refuse_without_room(held, keep=(state.key_id,))
        state = self._upload(self._begin(state, held, Work.ROTATE), held)
        proven = self._prove(state, state.provider_id or held.uuid)
        old, new = state.key, state.pending
        state = replace(
            state,
            key=new,
            key_id=state.pending_id,
            pending=None,
            pending_id="",
            retiring=(state.key_id,),
        )
        self._record.keep(state, Act.ROTATED, key=_fingerprint(new), key_before=_fingerprint(old))
        self._account.pause(self._wish.settle)
        return self._retire(state, proven)

    def disable(self) -> Done:
        held, state = self._look_unless_gone(), self._record.read()
        ours = {state.key_id, state.pending_id, *state.retiring} - {""}
        if state.pending is not None and not state.pending_id:
            ours |= set(held.ids) - set(state.ids_before)
        if state.key is None and state.work is Work.NONE:
            foreign = "IAM requires encryption, with a key of somebody else"
            return Done(Outcome.UNCHANGED, notes=(foreign,) if held.mode == REQUIRED else ())
        if self._wish.dry_run:
            return Done(Outcome.WOULD_DISABLE)
        if held.uuid:
            self._keys.set_mode(ALLOWED, anyway=True)
        if state.key is not None or state.work is not Work.DISABLE:
            before = _fingerprint(state.key)
            state = replace(
                EncryptionState(state.provider_id),
                work=Work.DISABLE,
                retiring=tuple(sorted(ours)),
                trust=state.trust,
            )
            self._record.keep(state, Act.DISABLED, key_before=before)
            self._account.pause(self._wish.settle)
        self._remove(state, state.retiring if held.uuid else ())
        self._record.keep(EncryptionState(state.provider_id))
        left = [key_id for key_id in held.ids if key_id not in state.retiring]
        notes = (f"keys that are not ours stay: {', '.join(left)}",) if left else ()
        return Done(Outcome.DISABLED, notes=notes)

    def _look_unless_gone(self) -> HeldKeys:
        """What is held: nothing, if somebody has deleted the provider."""
        try:
            return self._keys.look()
        except AccountRefusal as refusal:
            if refusal.kind != ABSENT:
                raise
            return HeldKeys("", "", ())

    def roll_back(self, refusal: AccountRefusal) -> str:
        """Undo what is under way as far as that is right; says in a sentence what was done."""
        held, state = self._keys.look(), self._record.read()
        if state.work is Work.ROTATE and state.retiring:
            return "The new key is in use; the old one is still in IAM."
        if state.work is Work.ROTATE:
            self._drop_pending(state, finished=True)
            return "It was rolled back: the old key is in use, as before."
        if state.work is not Work.ENABLE:
            return ""
        if state.key is not None or (held.mode == REQUIRED and state.mode_before != REQUIRED):
            self._keys.set_mode(ALLOWED, anyway=True)
        if state.key is not None:
            state = replace(
                state,
                key=None,
                key_id="",
                provider_id=state.provider_id_before,
                pending=state.key,
                pending_id=state.key_id,
            )
            self._record.keep(state, Act.ROLLED_BACK, reason=refusal.kind)
            self._account.pause(self._wish.settle)
        kept = []
        for change in state.trust:
            if trust_update.undo(self._account, change):
                self._record.keep(state, Act.TRUST_CHANGED, role=change.role, back="as before")
            else:
                kept.append(change)
        self._drop_pending(state)
        if state.mode_before == REQUIRED:
            self._keys.set_mode(REQUIRED)
        self._record.keep(
            EncryptionState(state.provider_id_before), Act.ROLLED_BACK, reason=refusal.kind
        )
        others = ", ".join(change.role for change in kept)
        return "It was rolled back." + (
            f" Somebody else changed the trust policy of {others}, which stays." if others else ""
        )

    def _begin(self, state: EncryptionState, held: HeldKeys, work: Work) -> EncryptionState:
        """What a roll-back needs; it is the first run's that counts."""
        if state.work is work:
            return replace(state, ids_before=held.ids)
        return replace(
            state,
            work=work,
            ids_before=held.ids,
            mode_before=held.mode,
            provider_id_before=state.provider_id,
        )

    def _trust_to_change(self, held: HeldKeys) -> tuple[ChangedTrust, ...]:
        if not self._wish.check_trust:
            return ()
        addresses = self._wish.addresses(held.uuid)
        try:
            changes = trust_update.lacking(self._account, self._record.provider, addresses)
        except ClientError as problem:
            if code_of(problem) not in ("AccessDenied", "AccessDeniedException"):
                raise
            raise AccountRefusal(
                "denied",
                "Not allowed: iam:ListRoles, so trust policies can't be looked at.",
                "Allow it, and iam:GetRole and iam:UpdateAssumeRolePolicy for --update-trust; "
                "or look yourself, and give --no-trust-check.",
            ) from None
        if changes and not (self._wish.update_trust or self._wish.dry_run):
            raise TrustLacking(changes)
        return changes

    def _write_trust(
        self, state: EncryptionState, changes: Sequence[ChangedTrust]
    ) -> EncryptionState:
        for change in changes:
            self._refuse_if_stopped()
            state = replace(state, trust=(*state.trust, change))
            self._record.keep(state)
            trust_update.write(self._account, change)
            self._record.keep(state, Act.TRUST_CHANGED, role=change.role)
        return state

    def _upload(self, state: EncryptionState, held: HeldKeys) -> EncryptionState:
        """A new key pair: the public half is kept, the private one given to IAM and forgotten."""
        self._refuse_if_stopped()
        pair = self._wish.make_key()
        state = replace(state, pending=EncryptionKey.of(pair.public_key()), pending_id="")
        self._record.keep(state)
        key_id = self._keys.add(pair, held)
        state = replace(state, pending_id=key_id)
        self._record.keep(state, Act.KEY_ADDED, key=_fingerprint(state.pending), key_id=key_id)
        return state

    def _prove(self, state: EncryptionState, provider_id: str) -> bool:
        self._refuse_if_stopped()
        if state.pending is None:
            raise RuntimeError("There is no key to prove.")
        self._account.pause(self._wish.settle)
        return self._record.prove(state.pending, provider_id)

    def _require(self, state: EncryptionState, held: HeldKeys) -> Done:
        """The last step of enabling, and all there is to do when it has been done before."""
        whole = held.mode == REQUIRED and state.work is Work.NONE
        if whole:
            return Done(Outcome.UNCHANGED)
        if self._wish.dry_run:
            return Done(Outcome.WOULD_ENABLE)
        self._keys.set_mode(REQUIRED)
        self._record.keep(
            EncryptionState(state.provider_id, state.key, state.key_id),
            Act.REQUIRED,
            key=_fingerprint(state.key),
        )
        return Done(Outcome.ENABLED)

    def _retire(self, state: EncryptionState, proven: bool) -> Done:
        self._remove(state, state.retiring)
        self._record.keep(EncryptionState(state.provider_id, state.key, state.key_id))
        return Done(Outcome.ROTATED, proven=proven)

    def _drop_pending(self, state: EncryptionState, *, finished: bool = False) -> EncryptionState:
        """Remove a key that no sign-in uses, also one whose upload was cut off."""
        held = self._keys.look()
        appeared = tuple(key_id for key_id in held.ids if key_id not in state.ids_before)
        if state.pending_id:
            self._remove(state, [state.pending_id])
        elif state.pending is not None:
            self._remove(state, appeared)
        state = replace(state, pending=None, pending_id="")
        if finished:
            state = EncryptionState(state.provider_id, state.key, state.key_id)
        self._record.keep(state)
        return state

    def _remove(self, state: EncryptionState, key_ids: Sequence[str]) -> None:
        for key_id in key_ids:
            if self._keys.remove(key_id):
                self._record.keep(state, Act.KEY_REMOVED, key_id=key_id)

    def _refuse_if_stopped(self) -> None:
        if self._wish.stopped():
            raise AccountRefusal("stopped", "It was stopped.", "Run it again.")


def _refuse_if_lost(state: EncryptionState, held: HeldKeys) -> None:
    if state.key_id not in held.ids or state.provider_id != held.uuid:
        raise AccountRefusal(
            "lost_key",
            "IAM does not hold the key that assertions are encrypted to: nobody can sign in.",
            "Run idp aws encryption disable, then enable.",
        )


def _refuse_without_room(held: HeldKeys, keep: Sequence[str]) -> None:
    if not held.uuid:
        raise AccountRefusal(
            "no_identifier",
            "IAM shows no unique identifier for the provider, which encryption needs.",
            "The endpoint may be an AWS of an older kind.",
        )
    if len(held.ids) >= MOST_KEYS:
        others = ", ".join(key_id for key_id in held.ids if key_id not in keep)
        raise AccountRefusal(
            "limit",
            f"The provider holds two private keys, and IAM takes no more. Not ours: {others}.",
            "Remove one that is not in use: "
            "aws iam update-saml-provider --remove-private-key KEY-ID",
        )


def _fingerprint(key: EncryptionKey | None) -> str:
    return key.fingerprint if key else ""
