"""This identity provider, as a response of its own making is held against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from idp.aws.arn import ProviderArn
from idp.db.engine import Database
from idp.entitlements.store import stored_accounts
from idp.keys.publication import publish_metadata
from idp.preflight.trust import OwnProvider
from idp.settings import Settings


def own_provider(
    settings: Settings, open_database: Callable[[], Database], now: datetime
) -> OwnProvider:
    """What we publish and register. The database is opened only if it is asked for."""

    def metadata() -> str:
        with open_database().reading() as session:
            return publish_metadata(session, settings, now).xml.decode()

    def providers() -> Mapping[str, ProviderArn]:
        with open_database().reading() as session:
            return {account.number: account.provider for account in stored_accounts(session)}

    return OwnProvider(settings.entity_id, metadata, providers)
