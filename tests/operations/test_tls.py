"""Speaking TLS ourselves, and refusing what would be unsafe or could not work."""

from __future__ import annotations

import signal
import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.operations.certificates import make_pair, trusting
from tests.operations.node import Browser, Node
from tests.servers.postgresql import free_port

pytestmark = pytest.mark.xdist_group("heavy")


class TlsNode(Node):
    """A node that speaks TLS, and browsers that trust its certificate."""

    def __init__(
        self, folder: Path, settings: dict[str, Any], certificate: Path, key: Path
    ) -> None:
        self._trusted = certificate
        pair = {"tls_certificate": str(certificate), "tls_key": str(key)}
        port = free_port()
        super().__init__(
            folder / "node",
            settings={**settings, "server": pair},
            port=port,
            base_url=f"https://127.0.0.1:{port}",
        )

    def browser(self) -> Browser:
        return Browser(self.base_url, ("127.0.0.1", self.port), tls=trusting(self._trusted))


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_speaks_tls_and_takes_a_renewed_certificate_at_a_reload(
    tmp_path: Path, settings: dict[str, Any], kind: str
) -> None:
    certificate, key = make_pair(tmp_path / "tls", kind)
    with TlsNode(tmp_path, settings, certificate, key) as node:
        bob = node.browser()
        answer = bob.sign_in("bob")
        assert answer.status == 303
        assert "__Host-idp-session" in answer.cookies
        assert "strict-transport-security" in answer.headers
        assert bob.get("/").status == 200

        renewed, new_key = make_pair(tmp_path / "renewed", kind)
        certificate.write_bytes(renewed.read_bytes())
        node.process.send_signal(signal.SIGHUP)  # the key is the old one still
        assert "does not belong" in node.wait_for_log("not reloaded")["reason"]
        key.write_bytes(new_key.read_bytes())
        node.process.send_signal(signal.SIGHUP)
        node.wait_for_log("reloaded")
        # Both workers have it: this browser trusts nothing but the renewed certificate.
        for _ in range(6):
            assert node.browser().get("/sign-in").status == 200


def test_speaks_tls_1_2_and_newer(tmp_path: Path, settings: dict[str, Any]) -> None:
    certificate, key = make_pair(tmp_path / "tls")
    with TlsNode(tmp_path, settings, certificate, key) as node:
        older = trusting(certificate)
        older.maximum_version = ssl.TLSVersion.TLSv1_2
        visitor = Browser(node.base_url, ("127.0.0.1", node.port), tls=older)
        assert visitor.get("/healthz").status == 200


def _everybody_may_read(certificate: Path, key: Path) -> str:
    key.chmod(0o644)
    return "chmod o= "


def _gone(certificate: Path, key: Path) -> str:
    certificate.unlink()
    return "server.tls_certificate can't be read"


def _of_another(certificate: Path, key: Path) -> str:
    _, other = make_pair(key.parent / "other")
    key.write_bytes(other.read_bytes())
    return "does not belong to the first certificate"


def _no_key(certificate: Path, key: Path) -> str:
    key.write_text("-----BEGIN PRIVATE KEY-----\nbm8=\n-----END PRIVATE KEY-----\n")
    return "holds no private key in PEM form"


def _no_certificate(certificate: Path, key: Path) -> str:
    certificate.write_text("certainly not")
    return "holds no certificate in PEM form"


@pytest.mark.parametrize(
    "spoil", [_everybody_may_read, _gone, _of_another, _no_key, _no_certificate]
)
def test_refuses_to_start_with_a_sentence(
    tmp_path: Path, settings: dict[str, Any], spoil: Any
) -> None:
    certificate, key = make_pair(tmp_path / "tls")
    said = spoil(certificate, key)
    node = TlsNode(tmp_path, settings, certificate, key)
    refused = node.command("serve")
    assert refused.returncode == 2
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr
    checked = node.command("check")
    assert checked.returncode == 1
    assert said in checked.stdout


@pytest.mark.parametrize(
    ("server", "said"),
    [
        ({"tls_certificate": "a.pem"}, "go together"),
        ({"tls_certificate": "a.pem", "tls_key": "a.key"}, "should begin with https://"),
    ],
)
def test_half_a_setting_is_refused(tmp_path: Path, server: dict[str, str], said: str) -> None:
    refused = Node(tmp_path / "node", settings={"server": server}).command("check")
    assert refused.returncode == 2
    assert said in refused.stderr
