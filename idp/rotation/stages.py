"""What each phase of a rotation does. Each stage gives whether the next one may follow at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from idp.aws.account_refusal import AccountRefusal
from idp.aws.registration import Registration
from idp.entitlements.account import Account
from idp.keys.signing_key import KeyState
from idp.rotation.book import Book
from idp.rotation.changed_keys import ForcedTurn
from idp.rotation.probe import ProbeAssertions
from idp.rotation.record import Phase, Rotation
from idp.rotation.turns import (
    needs_look,
    try_to_activate,
    try_to_end,
    try_to_retire,
    turn,
    verified,
)

Note = Callable[[Account, Registration, str], None]

STOPPED = "stopped"


class Stages:
    """The work on one rotation, for whoever holds its lease.

    When `stopped` says true, nothing more is begun at AWS and no key changes its state.
    """

    def __init__(self, book: Book, stopped: Callable[[], bool]) -> None:
        self._book = book
        self._around = book.around
        self._stopped = stopped
        self._overtaken = False

    def distribute(self, rotation: Rotation) -> bool:
        """The next certificate into every account, proved where it can be; then it signs."""
        book, around = self._book, self._around
        now = around.now()
        late = [
            account
            for account, progress in book.accounts()
            if needs_look(progress, now, around.propagation)
        ]
        good = self._push("Distributing", late, book.holds)
        good = self._prove() and good
        if not good or not self._let_it_spread() or self._stopped():
            return False
        around.boundary("spread")
        if try_to_activate(book):
            around.boundary("activated")
        return True

    def overlap(self, rotation: Rotation) -> bool:
        """Once more, does every account hold the key that signs? Then wait for the end."""
        book, around = self._book, self._around
        if rotation.verified_at is None:
            since = rotation.activated_at or rotation.started_at
            accounts = [
                account
                for account, progress in book.accounts()
                if progress.held_at is None or progress.held_at <= since
            ]
            if self._push("Verifying", accounts, book.holds):
                verified(book)
                around.boundary("verified")
        if self._stopped() or rotation.overlap_until is None:
            return False
        if around.now() < rotation.overlap_until:
            return False
        turn(book, Phase.WITHDRAWING, "the overlap is over")
        around.boundary("withdrawing")
        return True

    def withdraw(self, rotation: Rotation) -> bool:
        """The old certificate out of every account; then the old key retires, and one more look."""
        book = self._book
        left = [account for account, progress in book.accounts() if progress.withdrawn_at is None]
        if not self._push("Withdrawing", left, book.withdrawn, rotation.old_key_id):
            return False
        if self._stopped():
            return False
        return self._retire_or_end(Phase.DONE, rotation.old_key_id)

    def go_back(self, rotation: Rotation) -> bool:
        """The next certificate out of every account that may hold it; then the next key retires.

        An account that never was seen to hold it and can't be asked now does not stand in the way.
        """
        book = self._book
        left = [each for each in book.accounts() if each[1].withdrawn_at is None]
        held = [account for account, progress in left if progress.held_at]
        unsure = {account: progress for account, progress in left if not progress.held_at}
        more, unknown = self._look_for_next_certificate(list(unsure))
        if not self._push("Going back", held + more, book.withdrawn, rotation.next_key_id):
            return False
        if self._stopped() or any(unsure[account].given_at for account in unknown):
            return False
        return self._retire_or_end(Phase.ABORTED, rotation.next_key_id, unknown)

    def _retire_or_end(self, end: Phase, key_id: str, given_up: Sequence[Account] = ()) -> bool:
        old, new = self._book.keys()
        key = old if old.id == key_id else new
        if key.state in (KeyState.NEXT, KeyState.RETIRING):
            if try_to_retire(self._book, key_id, given_up):
                self._around.boundary("retired")
        elif try_to_end(self._book, end, given_up):
            self._around.boundary(end.value)
        return True

    def force(self, rotation: Rotation, forced: ForcedTurn) -> None:
        """Go where the keys' states ask for."""
        now = self._around.now()
        columns = (
            {"activated_at": now, "overlap_until": now + rotation.overlap}
            if forced.phase is Phase.OVERLAP
            else {}
        )
        turn(self._book, forced.phase, forced.reason, **columns)
        self._around.boundary("forced")

    def overtaken(self) -> bool:
        """Whether the keys were changed in the midst of the last stage, which then left off."""
        overtaken, self._overtaken = self._overtaken, False
        return overtaken

    def _push(self, step: str, accounts: Sequence[Account], note: Note, without: str = "") -> bool:
        """Bring accounts to what is published but for key `without`; whether all of them are.

        It leaves off when somebody changes the keys: a stolen key that was revoked this moment
        must not come back into an account.
        """
        book, around, good = self._book, self._around, True
        published = book.metadata(without)

        def stopped() -> bool:
            if not self._overtaken:
                self._overtaken = book.outdated(published, without)
            return self._overtaken or self._stopped()

        work = around.aws.distribute(accounts, published.xml, stopped)
        if accounts:
            around.show(step, 0, len(accounts))
        for done, (account, answer) in enumerate(work, start=1):
            around.boundary(f"answered {account.number}")
            if isinstance(answer, AccountRefusal):
                good = False
                self._failed(account, step, answer)
            else:
                note(account, answer, published.etag)
            around.boundary(f"noted {account.number}")
            around.show(step, done, len(accounts))
        return good

    def _failed(self, account: Account, step: str, refusal: AccountRefusal) -> None:
        if refusal.kind != STOPPED:
            self._book.failed(account, step.lower(), refusal)

    def _prove(self) -> bool:
        book, around, good = self._book, self._around, True
        accounts = [
            account
            for account, progress in book.accounts()
            if account.probe_role and progress.held_at and not progress.proved_at
        ]
        if not accounts:
            return True
        _, key = book.keys()
        assertions = ProbeAssertions(around, book.rotation_id, key)
        around.show("Proving", 0, len(accounts))
        work = around.aws.prove(accounts, assertions, self._stopped)
        for done, (account, answer) in enumerate(work, start=1):
            around.boundary(f"probed {account.number}")
            if isinstance(answer, AccountRefusal):
                good = False
                self._failed(account, "proving", answer)
            else:
                book.proved(account, answer)
            around.boundary(f"proof noted {account.number}")
            around.show("Proving", done, len(accounts))
        return good

    def _let_it_spread(self) -> bool:
        """Wait until all of AWS has heard of the certificate; False if stopped meanwhile."""
        around = self._around
        held = [progress.held_at for _, progress in self._book.accounts() if progress.held_at]
        if not held:
            return True
        until = max(held) + around.propagation
        while not self._stopped():
            left = (until - around.now()).total_seconds()
            if left <= 0:
                return True
            around.sleep(min(left, 0.5))
        return False

    def _look_for_next_certificate(
        self, accounts: Sequence[Account]
    ) -> tuple[list[Account], list[Account]]:
        """Those of accounts that hold the next certificate, and those that can't be asked. One
        that does not hold it has lost nothing.
        """
        book, around = self._book, self._around
        _, key = book.keys()
        issuer = around.settings.entity_id
        holders, unknown = list[Account](), list[Account]()
        work = around.aws.holding(accounts, key.fingerprint, issuer, self._stopped)
        for account, answer in work:
            if isinstance(answer, AccountRefusal):
                self._failed(account, "going back", answer)
                unknown.append(account)
            elif answer:
                holders.append(account)
            else:
                book.withdrawn(account, None, "")
            around.boundary(f"looked {account.number}")
        return holders, unknown
