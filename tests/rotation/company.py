"""An installation with accounts in the sandbox called directly, and a clock that tests move."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from idp.audit.log import AuditLog, Origin
from idp.audit.verify import verify
from idp.db.engine import Database
from idp.db.models import AuditEventRow
from idp.entitlements.account import Account
from idp.entitlements.store import delete_account, save_account, stored_accounts
from idp.keys.publication import publish_metadata
from idp.keys.signing_key import KeyState, SigningKey
from idp.keys.store import all_keys
from idp.rotation.departure import note_departure
from idp.rotation.plan import make_plan
from idp.rotation.record import Phase, latest_rotation
from idp.rotation.report import Report, report_of
from idp.rotation.rotate import rotate
from idp.rotation.surroundings import Surroundings
from idp.settings import Settings
from tests.making import generate_key
from tests.rotation.direct_aws import ADDRESS, DirectAws

BEGIN = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
PROBE = "arn:aws:iam::{}:role/Probe"


class Crash(BaseException):
    """The process is killed here: nothing after this point is done, not even tidying up."""


def account(number: int, *, probe: bool = False) -> Account:
    digits = f"7000000000{number:02}"
    role = PROBE.format(digits) if probe else None
    return Account(digits, f"account-{number}", "aws", "ExampleIdP", probe_role=role)


@dataclass
class RotatingCompany:
    """`crash_at` is the boundary at which the next run is killed (by count, from 1; 0: nowhere)."""

    database: Database
    settings: Settings
    time: datetime = BEGIN
    crash_at: int = 0
    passed: list[str] = field(default_factory=list)
    # What somebody else does at a boundary, once.
    meanwhile: dict[str, Callable[[], object]] = field(default_factory=dict)
    # Who looks on at every boundary.
    watch: Callable[[str], object] = lambda _boundary: None

    @classmethod
    def make(cls, folder: Path, database: Database, *accounts: Account) -> RotatingCompany:
        settings = Settings.model_validate(
            {
                "data_folder": folder,
                "keys": {"folder": folder / "certs", "encryption": "none"},
                "aws": {"sandbox_url": ADDRESS},
            }
        )
        made = cls(database, settings)
        with database.writing() as session:
            generate_key(session, settings, now=made.time)
        for each in accounts:
            made.add(each)
            made.register(each)
        return made

    def __post_init__(self) -> None:
        self.aws = DirectAws(self.clock)

    def clock(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)

    def pass_time(self, **span: float) -> None:
        self.time += timedelta(**span)

    @property
    def around(self) -> Surroundings:
        return Surroundings(
            database=self.database,
            settings=self.settings,
            audit=AuditLog(self.database, self.clock),
            aws=self.aws,
            actor="cli/test",
            origin=Origin("test", "0"),
            propagation=timedelta(seconds=20),
            now=self.clock,
            sleep=self.sleep,
            boundary=self._boundary,
            heartbeat=None,
        )

    def _boundary(self, name: str) -> None:
        self.passed.append(name)
        self.watch(name)
        self.meanwhile.pop(name, lambda: None)()
        if len(self.passed) == self.crash_at:
            raise Crash(name)

    def kill_at(self, name: str) -> None:
        """Let the next run be killed at the boundary of that name."""

        def kill() -> None:
            raise Crash(name)

        self.meanwhile[name] = kill

    def until_crash(self, work: Callable[[], object], crash_at: int = 0) -> bool:
        """Run `work` and kill it at a boundary; whether it came to that. Then time passes."""
        self.crash_at, self.passed = crash_at, []
        try:
            work()
        except Crash:
            self.pass_time(seconds=31)  # after which the lease of the dead has ended
            return True
        finally:
            self.crash_at = 0
        return False

    def rotate(self) -> str:
        with self.database.reading() as session:
            plan = make_plan(session, self.settings, self.time)
        return rotate(self.around, plan)

    def add(self, each: Account) -> None:
        """What `idp aws account add --update` does."""
        with self.database.writing() as session:
            known = stored_accounts(session).find(each.number)
            save_account(session, each)
            if known and known.provider != each.provider:
                note_departure(session, known.provider)

    def remove(self, each: Account) -> None:
        """What `idp aws account remove` does."""
        with self.database.writing() as session:
            delete_account(session, each.number)
            note_departure(session, each.provider)

    def register(self, each: Account) -> None:
        """What `idp aws register` does."""
        [(_, answer)] = self.aws.distribute([each], self.metadata, lambda: False)
        assert not isinstance(answer, Exception), answer

    @property
    def metadata(self) -> bytes:
        with self.database.reading() as session:
            return publish_metadata(session, self.settings, self.time).xml

    @property
    def keys(self) -> list[SigningKey]:
        with self.database.reading() as session:
            return list(all_keys(session))

    @property
    def states(self) -> list[str]:
        """Of all keys, oldest first."""
        return [key.state.value for key in self.keys]

    @property
    def active(self) -> SigningKey:
        [key] = [key for key in self.keys if key.state is KeyState.ACTIVE]
        return key

    @property
    def report(self) -> Report:
        with self.database.reading() as session:
            rotation = latest_rotation(session)
            assert rotation
            return report_of(session, rotation.id)

    def phase(self) -> Phase:
        """Of the rotation that was begun last."""
        return self.report.rotation.phase

    @property
    def trail(self) -> list[tuple[str, dict[str, object]]]:
        """Type and detail of every event, of a chain that verifies."""
        assert verify(self.database).finding is None
        with self.database.reading() as session:
            rows = session.execute(
                select(AuditEventRow.type, AuditEventRow.detail).order_by(AuditEventRow.seq)
            )
            return [(kind, json.loads(detail)) for kind, detail in rows]
