"""Temporary credentials that the sandbox has issued, and whose they are."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

from idp.aws.arn import RoleArn


@dataclass(frozen=True, slots=True)
class RoleSession:
    """An assumed role: credentials and what they stand for."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(repr=False)
    role: RoleArn
    role_id: str
    name: str
    expires: datetime
    tags: Mapping[str, str]
    transitive: tuple[str, ...]
    source_identity: str | None

    @property
    def arn(self) -> str:
        """The assumed-role ARN; a role's path is no part of it."""
        role = self.role
        return f"arn:{role.partition}:sts::{role.account}:assumed-role/{role.name}/{self.name}"

    @property
    def user_id(self) -> str:
        """AROA…:session name, as aws:userid has it."""
        return f"{self.role_id}:{self.name}"


class Sessions:
    """The sessions by access key. They live as long as the process."""

    _MOST = 20_000

    def __init__(self) -> None:
        self._sessions: dict[str, RoleSession] = {}
        self._lock = Lock()

    def find(self, access_key: str) -> RoleSession | None:
        """The session of an access key, expired or not; None for one never issued."""
        return self._sessions.get(access_key)

    def open(
        self,
        role: RoleArn,
        role_id: str,
        name: str,
        expires: datetime,
        *,
        tags: Mapping[str, str],
        transitive: tuple[str, ...],
        source_identity: str | None,
    ) -> RoleSession:
        """Issue credentials for `role`; the oldest of very many are forgotten."""
        session = RoleSession(
            access_key="ASIA" + _letters(16),
            secret_key=secrets.token_urlsafe(30),
            token="IQoJ" + secrets.token_urlsafe(240),
            role=role,
            role_id=role_id,
            name=name,
            expires=expires,
            tags=dict(tags),
            transitive=transitive,
            source_identity=source_identity,
        )
        with self._lock:
            while len(self._sessions) >= self._MOST:
                del self._sessions[next(iter(self._sessions))]
            self._sessions[session.access_key] = session
        return session


def _letters(count: int) -> str:
    return "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(count))
