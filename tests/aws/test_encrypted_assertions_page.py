"""The page "Encrypted assertions", followed to the letter against a sandbox."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "encrypted-assertions.md"


def test_every_command_of_the_page_works_as_written(tmp_path: Path, no_credentials: Path) -> None:
    assert no_credentials.is_dir()
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 8
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    wait = f"until (: < /dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.1; done\n"
    script = "set -eu -o pipefail\ntrap 'kill $!' EXIT\n" + blocks[0] + wait + "".join(blocks[1:])
    # The one liberty taken: there is nothing in the sandbox to wait for.
    script = re.sub(
        r"(idp aws encryption (?:enable|rotate|disable)) dev", r"\1 dev --settle 0", script
    )
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("IDP_")},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(PAGE.parents[1]),
    }
    done = subprocess.run(
        ["bash", "-c", script.replace("8081", port)],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert "Traceback" not in output
    for words in ("would enable", "enabled", "encrypted", "rotated", "disabled"):
        assert f"dev\t111122223333\t{words}" in done.stdout, output
    assert done.stdout.count("proven with the probe role") == 2
    assert "+++ ReadOnly then" in done.stdout
    assert "run: idp aws encryption enable --all" not in done.stdout
