"""The parts that the composition root hands to the pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from flask import current_app

from idp.audit.log import AuditLog
from idp.db.engine import Database
from idp.directory.interface import Directory
from idp.directory.realms import Realms
from idp.entitlements.store import Entitlements
from idp.keys.fetches import MetadataFetches
from idp.keys.ring import KeyRing
from idp.settings import Settings
from idp.signin.browser import BrowserTokens
from idp.signin.negotiate import Kerberos
from idp.signin.sessions import Sessions
from idp.signin.throttle import Throttle
from idp.sso.handover import Handover


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything a page may call. `demo_people` are (user name, password, what it shows)."""

    settings: Settings
    database: Database
    directories: Mapping[str, Directory]
    realms: Realms
    sessions: Sessions
    throttle: Throttle
    entitlements: Entitlements
    keys: KeyRing
    audit: AuditLog
    handover: Handover
    browser_tokens: BrowserTokens
    fetches: MetadataFetches
    now: Callable[[], datetime]
    demo_people: tuple[tuple[str, str, str], ...] = ()
    kerberos: Kerberos | None = None


def parts() -> Parts:
    """The parts of the running application."""
    found: Parts = current_app.extensions["idp"]
    return found
