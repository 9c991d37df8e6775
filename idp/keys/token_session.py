"""One session with one token for the whole process, opened anew when the token was away.

PKCS#11 modules are C libraries that python-pkcs11 initialises without locking, and a session for
each thread breaks them. So one thread makes all calls, and everybody else waits for it, but not
for long. A module must also be initialised anew after a fork (PKCS#11 base specification 2.40,
5.4, C_Initialize), which each process does with a session of its own.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import pkcs11
from cryptography.hazmat.primitives.asymmetric import rsa
from pkcs11 import Attribute, KeyType, MechanismFlag, ObjectClass
from pkcs11.exceptions import PKCS11Error

from idp.keys import token_key
from idp.keys.bounded_calls import BoundedCalls, TookTooLong
from idp.keys.gate import Gate
from idp.keys.pin import REFUSED_PIN
from idp.keys.signing_key import CustodyDown, KeyUnusable
from idp.keys.token_login import find_token, log_in
from idp.settings import Pkcs11Settings

if TYPE_CHECKING:
    from pkcs11._pkcs11 import lib as Library  # noqa: N812

T = TypeVar("T")

PAUSE_SECONDS = 1.0  # between two tries to reach a token that is away

_initialised_in: dict[str, int] = {}  # module: process that last initialised it


class TokenSession:
    """A logged-in session and the private keys found in it. Safe to use from any thread."""

    def __init__(
        self, settings: Pkcs11Settings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if settings.module is None:
            raise KeyUnusable(
                "No PKCS#11 token is set up.",
                "Set keys.pkcs11.module, token, and pin_file or pin_variable.",
            )
        self.settings = settings
        self._module = str(settings.module)
        self._calls = BoundedCalls("pkcs11", threads=1)
        self._clock = clock
        self._gates: dict[bytes, Gate] = {}
        self._session: pkcs11.Session | None = None
        self._writable = False
        self._keys: dict[bytes, pkcs11.PrivateKey] = {}

    def sign(self, name: bytes, public: rsa.RSAPublicKey, data: bytes, digest: str) -> bytes:
        """Sign with the key whose CKA_ID is `name` and whose public half is `public`.

        Raises KeyUnusable, CustodyDown.
        """
        gate = self._gates.get(name) or self._gate(name)
        work = partial(self._sign, name, public, data, digest)
        return gate.run(lambda: self._do(work, self.settings.answer_seconds))

    def generate(self, name: bytes, label: str, bits: int) -> rsa.RSAPublicKey:
        """Make an RSA key that can't leave the token, and give its public half.

        Raises KeyUnusable, CustodyDown.
        """
        work = partial(self._generate, name, label, bits)
        try:
            return self._do(work, self.settings.generate_seconds)
        except CustodyDown as problem:
            raise CustodyDown(
                problem.message,
                f"{problem.advice} If the token made a key all the same, its ID (CKA_ID) is "
                f"{name.hex()}, and it can be destroyed with the HSM's own tool.",
            ) from None

    def destroy(self, name: bytes) -> None:
        """Remove the key of this name, if it is there. Raises KeyUnusable, CustodyDown."""
        self._do(partial(self._destroy, name), self.settings.answer_seconds)

    def close(self) -> None:
        """Log out and leave the module, so that another process, or a forked one, can begin."""
        with suppress(KeyUnusable):
            self._bounded(self._leave, self.settings.answer_seconds)
        self._calls.end()

    def _gate(self, name: bytes) -> Gate:
        """Each key has its own, so that one that is gone does not stop the others."""
        what = f"pkcs11, token {self.settings.token}, key {name.hex()}"
        return self._gates.setdefault(name, Gate(what, PAUSE_SECONDS, self._clock))

    def _do(self, work: Callable[[], T], seconds: float) -> T:
        return self._bounded(partial(self._persistent, work), seconds)

    def _bounded(self, work: Callable[[], T], seconds: float) -> T:
        try:
            return self._calls.run(work, seconds)
        except TookTooLong:
            raise CustodyDown(
                f"The token {self.settings.token} does not answer within {seconds:g} seconds.",
                "Look at the HSM and the way to it.",
            ) from None

    # What follows runs in the one thread that speaks with the module.

    def _persistent(self, work: Callable[[], T]) -> T:
        """Do it; if the session turns out to be dead, once more in a new one."""
        try:
            return work()
        except (PKCS11Error, CustodyDown):
            self._leave()
        try:
            return work()
        except PKCS11Error as problem:
            self._leave()
            raise CustodyDown(
                f"The token {self.settings.token} fails: {_said(problem)}.",
                "Look at the HSM and its log.",
            ) from None

    def _sign(self, name: bytes, public: rsa.RSAPublicKey, data: bytes, digest: str) -> bytes:
        session = self._opened(writable=False)
        if name not in self._keys:
            self._keys[name] = token_key.find(session, name, public, self.settings.token)
        return token_key.sign(self._keys[name], data, digest)

    def _generate(self, name: bytes, label: str, bits: int) -> rsa.RSAPublicKey:
        session = self._opened(writable=True)
        public, private = session.generate_keypair(
            KeyType.RSA,
            bits,
            id=name,
            label=label,
            store=True,
            capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY,
            private_template={
                Attribute.SENSITIVE: True,
                Attribute.EXTRACTABLE: False,
                Attribute.PRIVATE: True,
            },
        )
        try:
            token_key.require_held(private, self.settings.token)
            numbers = token_key.public_numbers(public)
        except BaseException:
            with suppress(PKCS11Error):
                private.destroy()
                public.destroy()
            raise
        return numbers.public_key()

    def _destroy(self, name: bytes) -> None:
        session = self._opened(writable=True)
        self._keys.pop(name, None)
        for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY):
            for found in list(session.get_objects({Attribute.CLASS: kind, Attribute.ID: name})):
                found.destroy()

    def _opened(self, *, writable: bool) -> pkcs11.Session:
        if self._session is not None and (self._writable or not writable):
            return self._session
        self._leave()
        try:
            with REFUSED_PIN.alone():
                token = find_token(self._library(), self.settings)
                self._session = log_in(token, self.settings, writable=writable)
        except BaseException:
            self._leave()
            raise
        self._writable = writable
        return self._session

    def _library(self) -> Library:
        initialised_in = _initialised_in.get(self._module)
        try:
            library = pkcs11.lib(self._module)
        except PKCS11Error as problem:
            raise KeyUnusable(
                f"The PKCS#11 module {self._module} can't be used: {_said(problem)}.",
                "Set keys.pkcs11.module to the library of the HSM's vendor.",
            ) from None
        if initialised_in not in (None, os.getpid()):
            with suppress(PKCS11Error):  # what is left of the process that we were forked from
                library.finalize()
            library.initialize()
        _initialised_in[self._module] = os.getpid()
        return library

    def _leave(self) -> None:
        """Forget the session and the module's state; tokens that came or went are seen anew."""
        self._keys.clear()
        self._session = None
        if _initialised_in.get(self._module) == os.getpid():
            del _initialised_in[self._module]
            with suppress(PKCS11Error):
                pkcs11.lib(self._module).finalize()


def _said(problem: PKCS11Error) -> str:
    text = str(problem).strip().rstrip(".")
    return f"{type(problem).__name__}: {text}" if text else type(problem).__name__


_lock = threading.Lock()
_sessions: dict[str, TokenSession] = {}  # module: its session in this process


def token_session(settings: Pkcs11Settings) -> TokenSession:
    """This process's session with the token of these settings. Raises KeyUnusable."""
    found = _sessions.get(str(settings.module))
    if found is not None and found.settings == settings:
        return found
    with _lock:
        found = _sessions.get(str(settings.module))
        if found is None or found.settings != settings:
            fresh = TokenSession(settings)
            if found is not None:
                found.close()
            found = _sessions[str(settings.module)] = fresh
        return found


def close_sessions() -> None:
    """End the sessions of this process, before it forks workers that open their own."""
    with _lock:
        for session in _sessions.values():
            session.close()
        _sessions.clear()


def _forget_parent() -> None:
    global _lock
    _lock = threading.Lock()
    _sessions.clear()


os.register_at_fork(after_in_child=_forget_parent)
