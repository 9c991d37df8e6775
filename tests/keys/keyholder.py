"""Says which key its ring has, over and over: python -m tests.keys.keyholder CONFIG."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from idp.db.engine import Database
from idp.errors import IdpError
from idp.keys.ring import KeyRing
from idp.settings import load_settings


def main() -> None:
    settings = load_settings(Path(sys.argv[1]))
    ring = KeyRing(Database(settings.database_url), settings)
    last = ""
    while True:
        try:
            ready = ring.active()
            ready.signer.sign(b"x", "sha256")
            said = ready.key.id
        except IdpError as problem:
            said = type(problem).__name__
        if said != last:
            sys.stdout.write(f"{said}\n")
            sys.stdout.flush()
            last = said
        time.sleep(0.02)


if __name__ == "__main__":
    main()
