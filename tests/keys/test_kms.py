"""Keys in AWS KMS: a real server that stops, freezes, comes back and refuses in AWS's words."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from idp.db.engine import Database
from idp.keys import kms_custody
from idp.keys.kms_connection import LARGEST_MESSAGE, PAUSE_SECONDS, KmsConnection
from idp.keys.kms_custody import KmsSigner
from idp.keys.signing_key import CustodyDown, KeyUnusable, SigningKey
from idp.settings import Settings
from tests.keys.conftest import settings_for
from tests.making import NOON, generate_key
from tests.servers.kms import Kms

DATA = b"<ds:SignedInfo/>" * 40


@pytest.fixture
def settings(kms: Kms, tmp_path: Path) -> Settings:
    # Every test its own connection: the time-outs are part of what it is known by.
    total = 8 + (time.monotonic_ns() % 1000) / 100_000
    return settings_for(tmp_path, kms=kms.settings(answer_seconds=4, total_seconds=total))


@pytest.fixture
def key(sqlite: Database, settings: Settings) -> SigningKey:
    with sqlite.writing() as session:
        return generate_key(session, settings, now=NOON, custody="kms")


@pytest.fixture
def signer(key: SigningKey, settings: Settings) -> KmsSigner:
    return kms_custody.open_signer(key, settings)


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_makes_a_key_that_can_be_found_and_signs_only(kms: Kms, key: SigningKey) -> None:
    found = kms.ask("DescribeKey", KeyId=key.locator)["KeyMetadata"]
    assert (found["KeySpec"], found["KeyUsage"]) == ("RSA_2048", "SIGN_VERIFY")
    assert key.id in found["Description"]
    tags = kms.ask("ListResourceTags", KeyId=key.locator)["Tags"]
    assert tags == [{"TagKey": "idp-signing-key", "TagValue": key.id}]
    aliases = kms.ask("ListAliases", KeyId=found["KeyId"])["Aliases"]
    assert [each["AliasName"] for each in aliases] == [f"alias/idp-signing-{key.id}"]
    assert kms.calls == ["CreateKey", "CreateAlias", "GetPublicKey", "Sign"]


def test_serving_asks_for_signatures_and_nothing_else(kms: Kms, signer: KmsSigner) -> None:
    kms.calls.clear()
    signer.sign(DATA, "sha256")
    signer.probe()  # it has just signed, so that is known
    assert kms.calls == ["Sign"]


def test_what_kms_does_not_sign_is_never_sent(kms: Kms, signer: KmsSigner) -> None:
    signer.sign(b"x" * LARGEST_MESSAGE, "sha512")
    kms.calls.clear()
    with pytest.raises(KeyUnusable, match="4,096 bytes at most, and these are 4,097"):
        signer.sign(b"x" * (LARGEST_MESSAGE + 1), "sha512")
    assert kms.calls == []


def test_a_signature_that_is_not_right_is_not_used(kms: Kms, signer: KmsSigner) -> None:
    with (
        kms.signing_wrongly(),
        pytest.raises(KeyUnusable, match="does not belong to the certificate"),
    ):
        signer.sign(DATA, "sha256")


def test_another_key_in_its_place_does_not_sign(
    kms: Kms, key: SigningKey, settings: Settings
) -> None:
    other = kms_custody.make_key(settings, "ab" * 8, 2048)
    moved = SigningKey(**{**_fields(key), "locator": other.locator})
    with pytest.raises(KeyUnusable, match="does not belong to the certificate"):
        kms_custody.open_signer(moved, settings).sign(DATA, "sha256")


def _fields(key: SigningKey) -> dict[str, Any]:
    return {name: getattr(key, name) for name in key.__dataclass_fields__}


REFUSALS = [
    ("DisabledException", "arn:… is disabled.", "is disabled", "enable-key"),
    (
        "KMSInvalidStateException",
        "arn:aws:kms:… is pending deletion.",
        "is pending deletion",
        "cancel-key-deletion",
    ),
    ("NotFoundException", "Key 'arn:…' does not exist", "KMS has no key", "deleted"),
    (
        "AccessDeniedException",
        "User: arn:aws:iam::1:user/u is not authorized to perform: kms:Sign on resource: …",
        "Not allowed: kms:Sign",
        '"Action": "kms:Sign"',
    ),
    ("ExpiredTokenException", "The security token is expired", "has expired", "renew themselves"),
    ("InvalidKeyUsageException", "… key usage is ENCRYPT_DECRYPT", "does not sign", "SIGN_VERIFY"),
    ("UnrecognizedClientException", "The security token is invalid", "does not take", "mistyped"),
]


@pytest.mark.parametrize(("code", "said", "message", "advice"), REFUSALS)
def test_each_refusal_of_aws_is_a_sentence(
    kms: Kms, signer: KmsSigner, code: str, said: str, message: str, advice: str
) -> None:
    with kms.refusing(code, said), pytest.raises(KeyUnusable) as refusal:
        signer.sign(DATA, "sha256")
    assert message in refusal.value.message
    assert advice in refusal.value.advice
    assert type(refusal.value) is KeyUnusable, "this does not pass by itself"


@pytest.mark.parametrize(
    ("code", "status", "message"),
    [
        ("ThrottlingException", 400, "throttles"),
        ("KMSInternalException", 500, "error of its own"),
        ("DependencyTimeoutException", 503, "error of its own"),
    ],
)
def test_what_passes_by_itself_is_tried_a_second_time_and_then_told(
    kms: Kms, signer: KmsSigner, code: str, status: int, message: str
) -> None:
    kms.calls.clear()
    with (
        kms.refusing(code, "Rate exceeded", status=status),
        pytest.raises(CustodyDown, match=message),
    ):
        signer.sign(DATA, "sha256")
    assert kms.calls == ["Sign", "Sign"]


def test_a_key_that_may_not_be_finished_is_given_up(
    kms: Kms, settings: Settings, tmp_path: Path
) -> None:
    with (
        kms.refusing("AccessDeniedException", "no", action="GetPublicKey"),
        pytest.raises(KeyUnusable, match="Not allowed: kms:GetPublicKey"),
    ):
        kms_custody.make_key(settings, "00" * 8, 2048)
    (key,) = kms.ask("ListKeys")["Keys"]
    found = kms.ask("DescribeKey", KeyId=key["KeyId"])["KeyMetadata"]
    assert found["KeyState"] == "PendingDeletion"


def outcome(connection: KmsConnection, key: SigningKey) -> str:
    """What a sign-in meets."""
    try:
        connection.sign(key.locator, DATA, "sha256")
    except CustodyDown as problem:
        found = problem.message
    else:
        found = "signed"
    return found


def test_a_server_that_stops_is_an_outage_until_it_is_back(
    kms: Kms, key: SigningKey, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    connection = KmsConnection(settings.keys.kms, clock)
    assert outcome(connection, key) == "signed"
    with kms.unreachable():
        assert "can't be reached" in outcome(connection, key)
        kms.calls.clear()
        began = time.monotonic()
        for _ in range(200):
            assert "can't be reached" in outcome(connection, key)
        assert time.monotonic() - began < 0.5, "sign-ins wait for a KMS that is known to be away"
        assert kms.calls == []
    assert "can't be reached" in outcome(connection, key)
    clock.now += PAUSE_SECONDS
    assert outcome(connection, key) == "signed"
    assert [record.getMessage() for record in caplog.records if record.name == "idp.keys.gate"] == [
        "signing key unusable",
        "signing key usable again",
    ]


def test_a_frozen_server_hangs_nobody(kms: Kms, key: SigningKey, settings: Settings) -> None:
    clock = Clock()
    hurried = settings.keys.kms.model_copy(update={"answer_seconds": 0.4, "total_seconds": 1.0})
    connection = KmsConnection(hurried, clock)
    outcomes: list[str] = []
    waited: list[float] = []

    def sign() -> None:
        began = time.monotonic()
        outcomes.append(outcome(connection, key))
        waited.append(time.monotonic() - began)

    with kms.frozen():
        threads = [threading.Thread(target=sign) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(outcomes) == 20
        assert all("does not answer" in each for each in outcomes), outcomes
        assert max(waited) < 3
        clock.now += PAUSE_SECONDS
        waited.clear()
        for _ in range(20):
            sign()
        assert sum(waited) < 4, "one sign-in tries, not all"
    deadline = time.monotonic() + 20
    while outcome(connection, key) != "signed":
        assert time.monotonic() < deadline
        clock.now += PAUSE_SECONDS
        time.sleep(0.1)


def test_a_server_that_restarts_in_the_middle_of_signing(
    kms: Kms, key: SigningKey, settings: Settings
) -> None:
    """moto forgets its keys when it ends, so the key is gone then: a sentence, and no hang."""
    connection = KmsConnection(settings.keys.kms, lambda: 5 * time.monotonic())
    outcomes: list[str] = []
    ended = threading.Event()

    def sign() -> None:
        while not ended.is_set():
            try:
                outcomes.append(outcome(connection, key))
            except KeyUnusable as problem:
                outcomes.append(problem.message)
            time.sleep(0.01)

    threads = [threading.Thread(target=sign) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    kms.stop()
    time.sleep(0.3)
    kms.start()
    time.sleep(PAUSE_SECONDS / 5 + 0.5)
    ended.set()
    for thread in threads:
        thread.join(10)
    kinds = list(dict.fromkeys(each.partition(" (")[0] for each in outcomes))
    assert kinds[0] == "signed"
    assert "AWS KMS can't be reached" in kinds
    assert kinds[-1] == f"KMS has no key {key.locator}"


def test_eight_threads_sign_at_once(signer: KmsSigner) -> None:
    problems: list[BaseException] = []

    def sign(number: int) -> None:
        try:
            for count in range(5):
                signer.sign(f"{number} {count}".encode() * 30, "sha256")
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=sign, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert problems == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"endpoint_url": "http://kms.example.com"}, "is not safe to send signed calls to"),
        ({"endpoint_url": "ftp://x"}, "is not safe"),
        ({"region": ""}, "No Region is set"),
        ({"profile": "nobody"}, "the profile nobody"),
    ],
)
def test_settings_that_can_not_be_used_are_a_sentence(
    kms: Kms, tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    settings = settings_for(tmp_path, kms=kms.settings(**changes))
    with pytest.raises(KeyUnusable, match=message):
        kms_custody.make_key(settings, "00" * 8, 2048)


def test_no_credentials_are_a_sentence_and_new_ones_are_found(
    kms: Kms,
    key: SigningKey,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    clock = Clock()
    connection = KmsConnection(settings.keys.kms, clock)
    with pytest.raises(KeyUnusable, match="no AWS credentials in the default credentials"):
        connection.sign(key.locator, DATA, "sha256")
    file.write_text("[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = x\n")
    clock.now += PAUSE_SECONDS
    assert outcome(connection, key) == "signed"
