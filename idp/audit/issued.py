"""Every assertion that one key ever signed, from the trail."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from idp.audit.reading import Record, Search, matching
from idp.db.engine import Database
from idp.db.models import canonical_time


def issued_with(database: Database, key: str, since: datetime | None = None) -> Iterator[Record]:
    """Rows "assertion.issued" whose key has the fingerprint `key`, oldest first.

    `since` is when the key was made; nothing older is looked at.
    """
    search = Search(
        types=("assertion.issued",),
        text=key,
        since=canonical_time(since) if since else "",
    )
    for record in matching(database, search):
        if record.told().get("key") == key:
            yield record
