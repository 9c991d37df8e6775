"""Where the processes of one server keep their numbers together.

prometheus_client reads the variable when it is imported, so nothing here may import it.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def share_between_processes(folder: Path) -> None:
    """Let this process and those that it starts add their numbers up in `folder`, from zero."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    os.environ[FOLDER_VARIABLE] = str(folder.absolute())
