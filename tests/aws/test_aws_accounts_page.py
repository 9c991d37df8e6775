"""The page "AWS accounts", followed to the letter against a sandbox."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "aws-accounts.md"


def test_your_own_account_in_ten_minutes_works_as_written(
    tmp_path: Path, no_credentials: Path
) -> None:
    assert no_credentials.is_dir()
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 6
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    wait = f"until (: < /dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.1; done\n"
    script = "set -eu -o pipefail\ntrap 'kill $!' EXIT\n" + blocks[0] + wait + "".join(blocks[1:])
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("IDP_")},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(PAGE.parents[1]),
        "IDP_SIGN_IN__ARGON2_MEMORY_KIB": "8192",
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
    lines = done.stdout.splitlines()
    assert "111122223333" in lines
    assert any(line.startswith("dev\t111122223333\twould create") for line in lines)
    assert any(line.startswith("dev\t111122223333\tcreated") for line in lines)
    assert any(line.startswith("dev\t111122223333\tas published\tours") for line in lines)
    assert "arn:aws:iam::111122223333:role/ReadOnly" in done.stdout
    explained = done.stdout.rpartition("role/ReadOnly")[2]
    assert "platform-read" in explained
