"""What a worker process does before it answers its first request."""

from __future__ import annotations

import sys
from multiprocessing.synchronize import Semaphore

from idp.app import create_app
from idp.errors import IdpError
from idp.serving.at_once import answered_at_once
from idp.serving.drain import Draining, end_with_server, own_process_group
from idp.serving.memory import give_large_blocks_back
from idp.settings import load_settings
from idp.telemetry.logs import configure_logging

# Seconds. A thread that comes back from the database, perhaps with SQLite's write lock, waits so
# long at most for the interpreter while another one computes; Python's default is five times that.
_TURN_OF_A_THREAD = 0.001


def load_worker(server: int, listener: int, patience: float, ready: Semaphore) -> Draining:
    """The application of a worker of process `server`, which listens on descriptor `listener`.

    The settings are read anew, so that workers started after a reload have the new ones. `ready`
    is released when the first request can come. Ends the process, with a sentence on standard
    error, if the application can't be made.
    """
    sys.setswitchinterval(_TURN_OF_A_THREAD)
    own_process_group()
    give_large_blocks_back()
    end_with_server(server, patience)
    try:
        settings = load_settings()
        configure_logging(settings.log)
        application = Draining(answered_at_once(create_app(settings).wsgi_app), listener)
    except IdpError as refusal:
        raise SystemExit(f"idp: {refusal}") from None
    application.listen_for_signal()
    ready.release()
    return application
