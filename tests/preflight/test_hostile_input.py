"""Whatever is given, the answer is a sentence and an exit code, never a traceback."""

from __future__ import annotations

import base64
import io
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import pytest
from lxml import etree

from tests.preflight.command import Command
from tests.sandbox.maker import Recipe, metadata

BOMB = "".join(
    (
        '<!DOCTYPE a [<!ENTITY c0 "b">',
        *(f'<!ENTITY c{n} "{f"&c{n - 1};" * 10}">' for n in range(1, 12)),
        "]><a>&c11;</a>",
    )
)
DEEP = "<a>" * 20_000 + "</a>" * 20_000


WORDS = ["aws", "preflight", "--response", "-", "--metadata", "metadata.xml", "--at", "issued"]


def zipped() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("response.xml", Recipe().text())
    return held.getvalue()


NOT_A_RESPONSE: list[bytes] = [
    b"",
    b"  \n ",
    b"\x00" * 100,
    b"\x00" + Recipe().text().encode(),
    b"\xff\xfe<\x00a\x00",
    "日本語日本語".encode(),
    zipped(),
    zlib.compress(b"x" * 1_000_000),
    b"A" * 10_000_000,
    b"<a>" * 3_333_333,
    b"{}",
    b"\n" * 390_000 + b"!",
    b"<?php echo 1; ?>" * 30_000,
]
UNREADABLE: list[bytes] = [
    (b"SAMLResponse" + b" " * 30) * 9_000,
    BOMB.encode(),
    DEEP.encode(),
    base64.b64encode(BOMB.encode()),
    base64.b64encode(b"\x00\x01\x02" * 100),
    base64.b64encode(zipped()),
    b"<a>\x00</a>",
    b"<" * 300_000,
    b'<input name="SAMLResponse"' * 10_000,
    b'<input value="' * 20_000,
    b"SAMLResponse=",
    b"SAMLResponse=%00%ff%fe",
    b"SAMLResponse=" + b"%2" * 1000,
    b"%" * 1000,
    b"A" * 390_000,
    b"=" * 1000,
    b"<samlp:AuthnRequest xmlns:samlp='urn:oasis:names:tc:SAML:2.0:protocol'/>",
]


@pytest.mark.parametrize("given", NOT_A_RESPONSE, ids=range(len(NOT_A_RESPONSE)))
def test_what_is_no_response_is_bad_input(preflight: Command, given: bytes) -> None:
    done = preflight("--response", "-", stdin=given)
    assert done.code == 2
    assert len(done.out) < 500


@pytest.mark.parametrize("given", UNREADABLE, ids=range(len(UNREADABLE)))
def test_what_can_not_be_read_is_refused_by_a_named_rule(preflight: Command, given: bytes) -> None:
    done = preflight("--response", "-", "--json", stdin=given)
    assert done.code == 1
    assert done.broken[0] in ("size", "base64", "xml", "response")


@pytest.mark.parametrize("given", [b"", b"\xff", zipped(), b"\x00"])
def test_metadata_that_is_none(preflight: Command, given: bytes) -> None:
    held = preflight.file("metadata.xml", given)
    done = preflight("--response", "-", "--metadata", held, stdin=Recipe().text())
    assert done.code in (1, 2)
    assert "etadata" in done.out


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b"{}",
        b"\xff",
        b"[" * 30_000,
        b'{"Role": {"AssumeRolePolicyDocument": "%7B"}}',
        b'{"Statement": "' + b"a" * 5_000 + b'"}',
        b" " * 50_000,
    ],
)
def test_a_trust_policy_that_is_none(preflight: Command, given: bytes) -> None:
    trust = preflight.file("trust.json", given)
    done = preflight.judge(Recipe().text(), "--trust-policy", trust)
    assert done.code == 2
    assert "rust policy" in done.out


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_the_ends_of_the_calendar_are_times_like_others(preflight: Command, time: str) -> None:
    def edit(root: etree._Element) -> None:
        for element in root.iter():
            for name in {"IssueInstant", "NotBefore", "AuthnInstant"} & set(element.attrib):
                element.set(name, time)

    held = preflight.file("metadata.xml", metadata())
    words = ("--response", "-", "--metadata", held, "--json")
    for more in (["--at", "issued"], ["--at", time], []):
        assert preflight(*words, *more, stdin=Recipe(change=edit).text()).code in (0, 1)


def test_wildcards_without_end_are_not_followed(preflight: Command) -> None:
    long = tuple("a" * 1000 for _ in range(60))
    recipe = Recipe(attributes={**Recipe().attributes, "urn:oid:1.3.6.1.4.1.5923.1.1.1.1": long})
    stars = "*a" * 1900 + "b"
    trust = preflight.file(
        "trust.json",
        '{"Statement": {"Effect": "Allow", "Condition": {"ForAnyValue:StringLike": '
        f'{{"saml:edupersonaffiliation": "{stars}"}}}}}}}}',
    )
    done = preflight.judge(recipe.text(), "--trust-policy", trust)
    assert done.code == 2
    assert "too long" in done.out


@pytest.mark.parametrize(
    "words",
    [
        ["--at", "yesterday"],
        ["--at", "2026-03-01T12:00:00"],
        ["--at", "0001-01-01T00:00:00+23:59"],
        ["--at", "9999-12-31T23:59:59-23:59"],
        ["--role", "Developer"],
        ["--endpoint", "signin.aws.amazon.com"],
        ["--endpoint", "http://["],
        ["--max-session-duration", "10"],
        ["--user", "ann"],
    ],
)
def test_options_that_can_not_be_meant(preflight: Command, words: list[str]) -> None:
    done = preflight.judge(Recipe().text(), *words)
    assert done.code == 2


def test_one_of_response_and_user_is_asked_for(preflight: Command) -> None:
    assert preflight().code == 2
    assert "--role" in preflight("--user", "ann").out


def test_the_program_itself_needs_no_database(tmp_path: Path) -> None:
    (tmp_path / "metadata.xml").write_text(metadata())
    done = subprocess.run(
        [sys.executable, "-m", "idp", *WORDS],
        input=Recipe(endpoint="https://signin.aws.amazon.com/saml").text(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("AWS would take this.")
    assert [path.name for path in tmp_path.iterdir()] == ["metadata.xml"]
