"""Random sequences of commands, failures and kills, against what must hold at every moment."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from idp.audit.verify import verify
from idp.db import schema
from idp.db.engine import Database
from idp.entitlements.account import Account
from idp.errors import IdpError
from idp.keys.lifecycle import find_key, retire, revoke, revoke_and_replace
from idp.keys.signing_key import KeyState
from idp.rotation.by_hand import activate_by_hand, look
from idp.rotation.lease import RotationBusy
from idp.rotation.record import Phase, Rotation, latest_rotation, open_rotation
from idp.rotation.rotate import abort, resume
from tests.making import generate_key
from tests.rotation.company import RotatingCompany, account

ACCOUNTS = [account(number, probe=number == 1) for number in range(4)]
some_account = st.sampled_from(ACCOUNTS)
moved = st.one_of(st.none(), some_account)
# Mostly nowhere, else after so many steps.
crash = st.one_of(st.just(0), st.integers(1, 20))


class Rotating(RuleBasedStateMachine):
    """`registered` are accounts whose provider was ours and up to date at some moment since they
    came to the list, and that nobody has excluded or damaged.
    """

    @initialize()
    def begin(self) -> None:
        self.folder = Path(mkdtemp())
        self.database = Database(f"sqlite:///{self.folder / 'test.sqlite3'}")
        schema.upgrade(self.database)
        self.company = RotatingCompany.make(self.folder, self.database, *ACCOUNTS[:2])
        self.company.watch = self.at_boundary
        self.listed: list[Account] = list(ACCOUNTS[:2])
        self.registered = set(ACCOUNTS[:2])
        self.running = False

    def teardown(self) -> None:
        if hasattr(self, "database"):
            assert verify(self.database).finding is None
            self.database.close()
            shutil.rmtree(self.folder)

    def attempt(self, work: Callable[[], object], crash_at: int = 0) -> None:
        """A command: it may be refused or killed, and both must leave everything in order."""
        try:
            self.company.until_crash(work, crash_at)
        except RotationBusy as busy:
            raise AssertionError("nobody works on it") from busy
        except IdpError:
            pass
        latest = self.latest()
        if latest is not None and latest.activated_at:
            for each in self.company.report.accounts:
                if each.progress.excluded:
                    self.registered.discard(each.account)

    def at_boundary(self, name: str) -> None:
        """The moment in which a key begins to sign: is it known wherever it has to be?"""
        if name == "activated":
            excluded = [each for each in self.company.report.accounts if each.progress.excluded]
            self.every_listed_account_holds_it(without=[each.account for each in excluded])

    def every_listed_account_holds_it(self, without: Sequence[Account] = ()) -> None:
        active = self.company.active
        for each in self.listed:
            assert each in without or active.fingerprint in self.company.aws.held(each), each

    def listed_as(self, each: Account) -> Account | None:
        """The account of that number as it is on the list, with whichever provider."""
        return next((known for known in self.listed if known.number == each.number), None)

    def latest(self) -> Rotation | None:
        with self.database.reading() as session:
            return latest_rotation(session)

    @rule(crash_at=crash, moved=moved)
    def rotate(self, crash_at: int, moved: Account | None) -> None:
        with self.meanwhile_moved(moved):
            self.attempt(self.company.rotate, crash_at)

    @rule(crash_at=crash, excluded=st.lists(some_account, max_size=1), moved=moved)
    def resume(self, crash_at: int, excluded: list[Account], moved: Account | None) -> None:
        chosen = [known for each in excluded if (known := self.listed_as(each))]
        with self.meanwhile_moved(moved):
            self.attempt(lambda: resume(self.company.around, chosen), crash_at)

    @contextmanager
    def meanwhile_moved(self, moved: Account | None) -> Iterator[None]:
        """That account gets another provider in the last moment before the new key signs."""
        if moved:
            self.company.meanwhile["spread"] = lambda: self.move(moved)
        yield
        self.company.meanwhile.pop("spread", None)

    @rule(crash_at=crash)
    def abort(self, crash_at: int) -> None:
        self.attempt(lambda: abort(self.company.around), crash_at)

    @rule(hours=st.sampled_from([1, 80]))
    def wait(self, hours: int) -> None:
        self.company.pass_time(hours=hours)

    @rule()
    def generate(self) -> None:
        def work() -> None:
            with self.database.writing() as session:
                generate_key(session, self.company.settings, now=self.company.time)

        if len(self.company.keys) < 8:
            self.attempt(work)

    @rule(number=st.integers(0, 7))
    def retire(self, number: int) -> None:
        self.change_key(number, lambda session, key, now: retire(session, key, now, "test"))

    @rule(number=st.integers(0, 7))
    def revoke(self, number: int) -> None:
        self.change_key(number, lambda session, key, now: revoke(session, key, now, "test", "why"))

    def change_key(self, number: int, change: Callable[..., object]) -> None:
        keys = self.company.keys

        def work() -> None:
            with self.database.writing() as session:
                change(session, keys[number % len(keys)].id, self.company.time)

        self.attempt(work)

    @rule(number=st.integers(0, 7))
    def activate_by_hand(self, number: int) -> None:
        keys = self.company.keys

        def work() -> None:
            looked = look(self.company.around, keys[number % len(keys)].id)
            activate_by_hand(self.company.around, looked)
            self.every_listed_account_holds_it()

        self.attempt(work)

    @rule()
    def replace_a_stolen_key(self) -> None:
        """What `idp certs revoke --compromised` does: the accounts learn of it right after."""
        company = self.company
        with self.database.writing() as session:
            if len([key for key in company.keys if key.state.published]) < 9:
                old = find_key(session, company.active.id)
                new = generate_key(session, company.settings, now=company.time)
                revoke_and_replace(session, old.id, new.id, company.time, "test", "stolen")
        self.company.aws.refusing.clear()
        for each in self.listed:
            company.register(each)
            self.registered.add(each)

    @rule(each=some_account)
    def add_account(self, each: Account) -> None:
        if self.listed_as(each) is None:
            self.company.add(each)
            self.listed.append(each)

    @rule(each=some_account, deleted=st.booleans())
    def remove_account(self, each: Account, deleted: bool) -> None:
        """And perhaps its provider in AWS, too."""
        if known := self.listed_as(each):
            self.company.remove(known)
            self.listed.remove(known)
            self.registered.discard(known)
            if deleted:
                self.company.aws.delete(known)

    @rule(each=some_account)
    def change_provider(self, each: Account) -> None:
        self.move(each)

    def move(self, each: Account) -> None:
        """To the other one of two providers."""
        if known := self.listed_as(each):
            name = "OtherIdP" if known.provider_name == "ExampleIdP" else "ExampleIdP"
            other = replace(known, provider_name=name)
            self.company.add(other)
            self.listed[self.listed.index(known)] = other
            self.registered.discard(known)

    @precondition(lambda self: self.company.aws.refusing == set())
    @rule(each=some_account)
    def register(self, each: Account) -> None:
        if known := self.listed_as(each):
            self.company.register(known)
            self.registered.add(known)

    @rule(refusing=st.sets(st.sampled_from([each.number for each in ACCOUNTS]), max_size=1))
    def refuse(self, refusing: set[str]) -> None:
        self.company.aws.refusing = refusing

    @invariant()
    def one_key_is_active(self) -> None:
        assert self.company.states.count("active") == 1

    @invariant()
    def every_registered_account_holds_the_key_that_signs(self) -> None:
        active = self.company.active
        for each in self.registered:
            assert active.fingerprint in self.company.aws.held(each), each.alias

    @invariant()
    def at_most_one_rotation_is_open_and_its_keys_are_where_its_phase_says(self) -> None:
        with self.database.reading() as session:
            rotation = open_rotation(session)
        states = {key.id: key.state for key in self.company.keys}
        if rotation and rotation.phase is Phase.WITHDRAWING:
            assert states[rotation.old_key_id] is not KeyState.ACTIVE

    @invariant()
    def what_has_ended_well_left_no_old_certificate(self) -> None:
        latest = self.latest()
        if latest is None or latest.phase is not Phase.DONE or latest.ended_at != self.company.time:
            return
        [old] = [key for key in self.company.keys if key.id == latest.old_key_id]
        for each in self.company.report.accounts:
            if each.progress.withdrawn_at:
                assert old.fingerprint not in self.company.aws.held(each.account)


TestRotating = Rotating.TestCase
TestRotating.settings = settings(
    max_examples=25,
    stateful_step_count=16,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
