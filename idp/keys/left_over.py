"""A private key that nobody will use: taken away, or else named, with what to do about it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from idp.errors import IdpError
from idp.keys.signing_key import KeyUnusable

log = logging.getLogger("idp.keys")


class KeyLeftOver(KeyUnusable):
    """A private key was made, is not used, and could not be taken away again."""


def take_away(
    forget: Callable[[], object], what: str, advice: str, because: BaseException | None
) -> None:
    """Call `forget` for the unused private key `what`.

    If that fails, `advice` is what somebody has to do by hand. Raises KeyLeftOver, which tells of
    the refusal `because` as well; any other exception gets a note, and is the caller's to raise.
    """
    try:
        forget()
    except (KeyUnusable, OSError) as problem:
        reason = problem.message if isinstance(problem, KeyUnusable) else str(problem.strerror)
        message = f"A private key that is not used is left over: {what} ({reason.rstrip('.')})."
        log.warning("an unused private key is left over: %s (%s)", what, reason)
    else:
        return
    if because is None:
        raise KeyLeftOver(message, advice)
    if isinstance(because, IdpError):
        raise KeyLeftOver(
            f"{because.message} {message}", f"{because.advice} {advice}".strip()
        ) from because
    because.add_note(f"{message} {advice}")
