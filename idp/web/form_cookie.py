"""The cookie that forms are matched against, read when a form is shown or comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

from flask import Flask, Request, Response
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin


class LateSession(SessionMixin):
    """Flask's session, opened at first use: most requests never look into it."""

    def __init__(self, open_it: Callable[[], SecureCookieSession]) -> None:
        self._open = open_it

    @cached_property
    def opened(self) -> SecureCookieSession:
        """Flask's own session."""
        return self._open()

    def __getitem__(self, name: str) -> Any:
        return self.opened[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.opened[name] = value

    def __delitem__(self, name: str) -> None:
        del self.opened[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.opened)

    def __len__(self) -> int:
        return len(self.opened)


class FormCookies(SecureCookieSessionInterface):
    """Flask's signed cookies, without checking a signature where nobody asks what it signs."""

    def open_session(self, app: Flask, request: Request) -> Any:
        """A session that is opened at first use."""
        opening = super().open_session

        def open_it() -> SecureCookieSession:
            return opening(app, request) or self.session_class()

        return LateSession(open_it)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """As Flask does, if anybody used it."""
        if isinstance(session, LateSession) and session.accessed:
            session.opened.accessed = True
            super().save_session(app, session.opened, response)
