"""Makes, activates and retires keys without end: python -m tests.keys.rotator CONFIG."""

from __future__ import annotations

import sys
from pathlib import Path

from idp.audit.log import utc_now
from idp.db.engine import Database
from idp.keys.encryption_lock import alone
from idp.keys.lifecycle import activate, retire
from idp.keys.new_key import generated_key
from idp.keys.reencryption import (
    add_key_encryption_key,
    drop_old_key_encryption_keys,
    encrypt_file,
)
from idp.keys.store import active_key, all_keys
from idp.settings import load_settings


def main() -> None:
    settings = load_settings(Path(sys.argv[1]))
    database = Database(settings.database_url)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        with (
            generated_key(database, settings, now=utc_now(), actor="cli/test") as new,
            database.writing() as session,
        ):
            made = new.write_down(session)
        with database.writing() as session:
            old = active_key(session)
            activate(session, made.id, utc_now(), "cli/test", replacing=old.id)
            retire(session, old.id, utc_now(), "cli/test")
        with alone(database, settings):
            add_key_encryption_key(settings)
            with database.reading() as session:
                keys = all_keys(session)
            for key in keys:
                encrypt_file(key, settings)
            drop_old_key_encryption_keys(settings, keys)
        sys.stdout.write("round\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
