"""Rotating the signing key: begun, gone on with, gone back; safe to be killed at any point.

What has been done is in the database, and every step may be made twice. A run looks there for the
first thing left to do, does it, writes it down, and so on until the rotation has ended, has to
wait, or an account fails.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from idp.entitlements.account import Account
from idp.rotation.book import Book
from idp.rotation.changed_keys import forced_turn
from idp.rotation.lease import kept_lease, new_holder, take_lease
from idp.rotation.plan import Plan
from idp.rotation.record import Phase, Rotation, RotationRefused, open_rotation
from idp.rotation.stages import Stages
from idp.rotation.surroundings import Surroundings
from idp.rotation.turns import begin, turn


def rotate(around: Surroundings, plan: Plan) -> str:
    """Begin the rotation that was planned and bring it as far as it goes; gives its identifier.

    Raises what `begin` raises, and LeaseLost.
    """
    holder = new_holder()
    rotation = begin(around, plan, holder)
    around.boundary("begun")
    _work(around, rotation.id, holder)
    return rotation.id


def resume(around: Surroundings, exclude: Sequence[Account] = ()) -> str:
    """Go on with the open rotation where it was; gives its identifier.

    `exclude` are accounts to go on without from now on. Raises RotationRefused if none is open,
    RotationBusy, LeaseLost.
    """
    return _take_up(around, lambda book: book.exclude(exclude) if exclude else None)


def abort(around: Surroundings, exclude: Sequence[Account] = ()) -> str:
    """Go back: accounts lose the next certificate, and the next key retires.

    Raises as `resume` does, and RotationRefused once the next key has become active.
    """

    def go_back(book: Book) -> None:
        refuse_abort(book.rotation())
        if exclude:
            book.exclude(exclude)
        if book.rotation().phase is Phase.DISTRIBUTING:
            turn(book, Phase.ABORTING, "asked for")
            around.boundary("turned back")

    return _take_up(around, go_back)


def refuse_abort(rotation: Rotation) -> None:
    """Raise RotationRefused if there is no way back, saying what to do instead."""
    if rotation.phase in (Phase.OVERLAP, Phase.WITHDRAWING):
        raise RotationRefused(
            f"Key {rotation.next_key_id} signs already, and a key that has signed does not become "
            "active again.",
            "Let the rotation come to its end (idp certs rotate --resume), then rotate anew. "
            f"If the new key is in the wrong hands: idp certs revoke {rotation.next_key_id} "
            "--compromised",
        )


def _take_up(around: Surroundings, first: Callable[[Book], None]) -> str:
    holder = new_holder()
    with around.database.writing() as session:
        rotation = open_rotation(session)
        if rotation is None:
            raise RotationRefused("No rotation is under way.", "Begin one: idp certs rotate")
        take_lease(session, rotation.id, holder, around.now())
    around.boundary("taken up")
    _work(around, rotation.id, holder, first)
    return rotation.id


def _work(
    around: Surroundings,
    rotation_id: str,
    holder: str,
    first: Callable[[Book], None] = lambda _book: None,
) -> None:
    with kept_lease(around.database, rotation_id, holder, around.now, around.heartbeat) as lease:
        book = Book(around, rotation_id, holder, lease)
        first(book)
        stages = Stages(book, lambda: around.stopped() or not lease.valid)
        while _stage(book, stages) or stages.overtaken():
            pass


def _stage(book: Book, stages: Stages) -> bool:
    """Do what the phase asks for; whether something else can be done right after it."""
    rotation = book.rotation()
    forced = forced_turn(rotation, *book.keys())
    if forced is not None:
        stages.force(rotation, forced)
        return True
    match rotation.phase:
        case Phase.DISTRIBUTING:
            return stages.distribute(rotation)
        case Phase.OVERLAP:
            return stages.overlap(rotation)
        case Phase.WITHDRAWING:
            return stages.withdraw(rotation)
        case Phase.ABORTING:
            return stages.go_back(rotation)
        case Phase.DONE | Phase.ABORTED:
            return False
