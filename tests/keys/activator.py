"""Activates a key when told to: python -m tests.keys.activator URL KEY REPLACING."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from idp.db.engine import Database
from idp.errors import IdpError
from idp.keys.lifecycle import activate


def main() -> None:
    url, key_id, replacing = sys.argv[1:]
    database = Database(url)
    database.check()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    try:
        with database.writing() as session:
            activate(session, key_id, datetime.now(UTC), "cli/test", replacing=replacing or None)
    except IdpError as refusal:
        sys.stdout.write(f"{type(refusal).__name__}: {refusal}\n")
    else:
        sys.stdout.write("done\n")


if __name__ == "__main__":
    main()
