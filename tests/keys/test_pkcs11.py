"""Keys in a token: a real SoftHSM2 that refuses, hangs, goes away and comes back."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pkcs11.constants import TokenFlag
from pkcs11.exceptions import PinIncorrect

from idp.db.engine import Database
from idp.keys import pkcs11_custody
from idp.keys.pin import RefusedPin, read_pin
from idp.keys.pkcs11_custody import Pkcs11Signer
from idp.keys.signing_key import CustodyDown, KeyUnusable, SigningKey
from idp.keys.token_session import PAUSE_SECONDS, close_sessions
from idp.saml.signature import Signer
from idp.settings import Settings
from tests.keys.conftest import settings_for
from tests.making import NOON, generate_key
from tests.servers.softhsm import PIN, SoftHsm

DATA = b"<ds:SignedInfo/>" * 40


@pytest.fixture
def settings(softhsm: SoftHsm, tmp_path: Path) -> Settings:
    return settings_for(tmp_path, pkcs11=softhsm.settings(answer_seconds=1))


@pytest.fixture
def key(sqlite: Database, settings: Settings) -> Iterator[SigningKey]:
    with sqlite.writing() as session:
        made = generate_key(session, settings, now=NOON, custody="pkcs11")
    yield made
    close_sessions()


def signs_soon(signer: Signer) -> float:
    """Seconds until it signs again."""
    began = time.monotonic()
    while True:
        try:
            signer.sign(DATA, "sha256")
        except KeyUnusable:
            assert time.monotonic() - began < 10
            time.sleep(0.05)
        else:
            return time.monotonic() - began


def name_of(key: SigningKey) -> str:
    """The CKA_ID in hex."""
    return key.id


def test_the_private_key_can_not_leave_the_token(softhsm: SoftHsm, key: SigningKey) -> None:
    said = softhsm.elsewhere(
        name_of(key),
        """
wanted = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.ID: name}
(private,) = session.get_objects(wanted)
for each in ("SENSITIVE", "EXTRACTABLE", "ALWAYS_SENSITIVE", "NEVER_EXTRACTABLE", "DECRYPT", "UNWRAP"):
    print(each, private[Attribute[each]])
for each in ("PRIVATE_EXPONENT", "PRIME_1", "EXPONENT_1", "COEFFICIENT"):
    try:
        print(each, private[Attribute[each]])
    except pkcs11.exceptions.AttributeSensitive:
        print(each, "refused")
try:
    private[Attribute.EXTRACTABLE] = True
except pkcs11.exceptions.PKCS11Error:
    print("stays so")
""",  # noqa: E501
    )
    assert said.splitlines() == [
        "SENSITIVE True",
        "EXTRACTABLE False",
        "ALWAYS_SENSITIVE True",
        "NEVER_EXTRACTABLE True",
        "DECRYPT False",
        "UNWRAP False",
        "PRIVATE_EXPONENT refused",
        "PRIME_1 refused",
        "EXPONENT_1 refused",
        "COEFFICIENT refused",
        "stays so",
    ]


def test_a_key_that_could_leave_is_not_used(
    softhsm: SoftHsm, key: SigningKey, settings: Settings
) -> None:
    softhsm.elsewhere(
        name_of(key),
        """
wanted = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.ID: name}
(private,) = session.get_objects(wanted)
private.destroy()
session.generate_keypair(pkcs11.KeyType.RSA, 2048, id=name, store=True, private_template={
    Attribute.EXTRACTABLE: True, Attribute.SENSITIVE: True})
""",
    )
    with pytest.raises(KeyUnusable, match="could leave the token idp"):
        pkcs11_custody.open_signer(key, settings)


def test_eight_threads_sign_at_once(key: SigningKey, settings: Settings) -> None:
    signer = pkcs11_custody.open_signer(key, settings)
    problems: list[BaseException] = []

    def sign(number: int) -> None:
        try:
            for count in range(40):
                signer.sign(f"{number} {count}".encode() * 30, ("sha256", "sha512")[count % 2])
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=sign, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert problems == []


def _in_a_fork(work: Callable[[], Any]) -> Callable[[], Any]:
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()

    def run() -> None:
        try:
            queue.put((os.getpid(), work()))
        except KeyUnusable as problem:
            queue.put((os.getpid(), str(problem)))

    process = context.Process(target=run)
    process.start()

    def result() -> Any:
        process.join(30)
        assert process.exitcode == 0
        return queue.get()

    return result


def test_forked_workers_open_sessions_of_their_own(key: SigningKey, settings: Settings) -> None:
    signer = pkcs11_custody.open_signer(key, settings)  # the parent is logged in when it forks

    def work() -> int:
        return sum(len(signer.sign(DATA, "sha256")) for _ in range(20))

    results = [_in_a_fork(work) for _ in range(4)]
    assert work() == 20 * 256
    found = [result() for result in results]
    assert [signed for _, signed in found] == [20 * 256] * 4, found
    assert len({process for process, _ in found}) == 4
    assert work() == 20 * 256


@pytest.mark.parametrize(
    ("pin", "sentence"),
    [
        (b"", "There is no PIN in"),
        (b"\xef\xbb\xbf8371\n", "There is no PIN in"),
        (b"\xff\xfe", "There is no PIN in"),
        (b"x" * 300, "There is no PIN in"),
        (b"%%", "refuses the PIN in"),
        (b"1234567\n", "refuses the PIN in"),
    ],
)
def test_a_wrong_pin_is_a_sentence_that_does_not_show_it(
    softhsm: SoftHsm, settings: Settings, pin: bytes, sentence: str
) -> None:
    softhsm.pin_file.write_bytes(pin)
    with pytest.raises(KeyUnusable, match=sentence) as refusal:
        pkcs11_custody.make_key(settings, "00" * 8, 2048)
    assert str(softhsm.pin_file) in refusal.value.message
    if pin:
        assert pin.decode("latin-1").strip() not in str(refusal.value).replace(
            str(softhsm.pin_file), ""
        )
    assert refusal.value.status == 503


def test_a_pin_file_that_others_can_read_is_refused(softhsm: SoftHsm, settings: Settings) -> None:
    softhsm.pin_file.chmod(0o640)
    with pytest.raises(KeyUnusable, match="0640") as refusal:
        pkcs11_custody.make_key(settings, "00" * 8, 2048)
    assert "chmod 600" in refusal.value.advice


def test_the_pin_may_be_in_a_variable(
    softhsm: SoftHsm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = softhsm.settings(pin_file=None, pin_variable="TOKEN_PIN")
    settings = settings_for(tmp_path, pkcs11=own)
    with pytest.raises(KeyUnusable, match="no PIN in the variable TOKEN_PIN"):
        pkcs11_custody.make_key(settings, "00" * 8, 2048)
    monkeypatch.setenv("TOKEN_PIN", PIN)
    assert pkcs11_custody.make_key(settings, "00" * 8, 2048).signing_key.key_size == 2048
    assert read_pin(settings.keys.pkcs11, {"TOKEN_PIN": "another"}) == "another"


def test_a_wrong_pin_is_tried_once_by_a_process_and_its_forks(
    softhsm: SoftHsm, settings: Settings, key: SigningKey
) -> None:
    signer = pkcs11_custody.open_signer(key, settings)
    close_sessions()
    softhsm.write_pin("999999")
    with pytest.raises(KeyUnusable, match="tried once"):
        signer.sign(DATA, "sha256")
    # The right PIN logs in elsewhere, which takes the token's note of a failure away.
    softhsm.elsewhere("00", "")
    clean = softhsm.token_content()

    def again() -> str:
        close_sessions()
        with pytest.raises(KeyUnusable, match="tried once") as refusal:
            signer.sign(DATA, "sha256")
        return refusal.value.message

    for _ in range(3):
        again()
    assert all("refuses the PIN" in message for _, message in [_in_a_fork(again)() for _ in "12"])
    assert softhsm.token_content() == clean, "the PIN was tried again"

    softhsm.write_pin(PIN)
    assert signs_soon(signer) < PAUSE_SECONDS + 1


def test_processes_that_begin_together_try_a_wrong_pin_once(tmp_path: Path) -> None:
    refused, tries = RefusedPin(), tmp_path / "tries"
    refused.share()

    def attempt() -> None:
        with tries.open("a") as file:
            file.write("tried\n")
        time.sleep(0.05)
        raise PinIncorrect

    def work() -> None:
        with refused.alone():
            refused.login("idp (0001)", "1234", "a file", attempt)

    results = [_in_a_fork(work) for _ in range(4)]
    assert all("refuses the PIN in a file" in result()[1] for result in results)
    assert tries.read_text() == "tried\n"
    with refused.alone():
        assert refused.login("idp (0001)", "4321", "a file", lambda: "in") == "in"
        assert refused.login("idp (0002)", "1234", "a file", lambda: "in") == "in"


@pytest.mark.parametrize(
    ("flag", "sentence"),
    [
        (TokenFlag.USER_PIN_LOCKED, "The user PIN of the token idp is locked"),
        (TokenFlag.USER_PIN_FINAL_TRY, "allows one more PIN before it locks"),
    ],
)
def test_a_locked_token_and_the_last_try_are_left_alone(
    softhsm: SoftHsm, settings: Settings, key: SigningKey, flag: TokenFlag, sentence: str
) -> None:
    close_sessions()
    softhsm.set_flag(flag)
    before = softhsm.token_content()
    with pytest.raises(KeyUnusable, match=sentence):
        pkcs11_custody.open_signer(key, settings)
    assert softhsm.token_content() == before


def test_a_missing_module_token_or_setting_is_a_sentence(softhsm: SoftHsm, tmp_path: Path) -> None:
    def refusal(**changes: Any) -> str:
        settings = settings_for(tmp_path, pkcs11=softhsm.settings(**changes))
        with pytest.raises(KeyUnusable) as found:
            pkcs11_custody.make_key(settings, "00" * 8, 2048)
        return str(found.value)

    assert "/no/such/module.so can't be used" in refusal(module="/no/such/module.so")
    no_module = tmp_path / "no-module.so"
    no_module.write_text("this is no library")
    assert "no-module.so can't be used" in refusal(module=str(no_module))
    assert "There is no token another" in refusal(token="another")
    assert "it has idp" in refusal(token="another")
    assert "with serial number 0000" in refusal(serial="0000")
    with pytest.raises(KeyUnusable, match=r"No PKCS#11 token is set up"):
        pkcs11_custody.make_key(settings_for(tmp_path), "00" * 8, 2048)


def test_two_tokens_of_one_label_are_told_apart_by_serial_number(
    softhsm: SoftHsm, settings: Settings, key: SigningKey, tmp_path: Path
) -> None:
    close_sessions()
    softhsm.make_token()
    with pytest.raises(KeyUnusable, match="2 tokens labelled idp") as refusal:
        pkcs11_custody.open_signer(key, settings)
    serials = refusal.value.advice.rpartition(": ")[2].rstrip(".").split(", ")
    outcomes = []
    for serial in serials:
        own = settings_for(tmp_path, pkcs11=softhsm.settings(serial=serial))
        try:
            pkcs11_custody.open_signer(key, own)
        except KeyUnusable as problem:
            outcomes.append(problem.message.partition(" with")[0])
        else:
            outcomes.append("signs")
    assert sorted(outcomes) == ["The token idp has no private key", "signs"]


def test_of_two_keys_with_one_label_and_id_the_right_one_signs(
    softhsm: SoftHsm, settings: Settings, key: SigningKey
) -> None:
    softhsm.elsewhere(
        name_of(key),
        f"""
for _ in range(2):
    session.generate_keypair(pkcs11.KeyType.RSA, 2048, id=name, label="idp {key.id}", store=True)
""",
    )
    close_sessions()
    pkcs11_custody.open_signer(key, settings).sign(DATA, "sha256")


def test_a_key_that_was_replaced_does_not_sign(
    softhsm: SoftHsm, settings: Settings, key: SigningKey
) -> None:
    signer = pkcs11_custody.open_signer(key, settings)
    softhsm.elsewhere(
        name_of(key),
        """
for each in list(session.get_objects({Attribute.ID: name})):
    each.destroy()
session.generate_keypair(pkcs11.KeyType.RSA, 2048, id=name, store=True)
""",
    )
    with pytest.raises(KeyUnusable, match="does not belong to the certificate"):
        signer.sign(DATA, "sha256")


def test_a_key_deleted_from_the_token_is_a_sentence_and_no_other_key_suffers(
    softhsm: SoftHsm, sqlite: Database, settings: Settings, key: SigningKey
) -> None:
    with sqlite.writing() as session:
        other = generate_key(session, settings, now=NOON, custody="pkcs11")
    gone, there = (pkcs11_custody.open_signer(each, settings) for each in (key, other))
    pkcs11_custody.forget_key(key.locator, settings)
    for _ in range(3):
        with pytest.raises(KeyUnusable, match=f"no private key with the ID {key.id}"):
            gone.sign(DATA, "sha256")
        there.sign(DATA, "sha256")


def test_a_token_that_goes_away_is_a_sentence_at_once_and_comes_back(
    softhsm: SoftHsm, key: SigningKey, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    signer = pkcs11_custody.open_signer(key, settings)
    with softhsm.away():
        for _ in range(20):
            began = time.monotonic()
            with pytest.raises(CustodyDown, match="There is no token idp"):
                signer.sign(DATA, "sha256")
            assert time.monotonic() - began < 0.5
    assert signs_soon(signer) < PAUSE_SECONDS + 1
    lines = [record.getMessage() for record in caplog.records]
    assert lines == ["signing key unusable", "signing key usable again"]


def test_a_finalised_module_is_begun_anew(
    softhsm: SoftHsm, key: SigningKey, settings: Settings
) -> None:
    import pkcs11

    signer = pkcs11_custody.open_signer(key, settings)
    pkcs11.lib(str(softhsm.module)).finalize()
    signer.sign(DATA, "sha256")


def test_a_token_that_hangs_holds_nobody_up_for_long(
    softhsm: SoftHsm, key: SigningKey, settings: Settings
) -> None:
    signer: Pkcs11Signer = pkcs11_custody.open_signer(key, settings)
    waited: list[float] = []

    def sign() -> None:
        began = time.monotonic()
        with pytest.raises(CustodyDown, match="does not answer within 1 seconds"):
            signer.sign(DATA, "sha256")
        waited.append(time.monotonic() - began)

    with softhsm.hanging():
        threads = [threading.Thread(target=sign) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert len(waited) == 6
        assert max(waited) < 1.5
        waited.clear()
        time.sleep(PAUSE_SECONDS)
        sign()  # the thread still hangs: nobody waits for it a second time
        assert waited[0] < 0.2
    assert signs_soon(signer) < PAUSE_SECONDS + 1


def test_a_locator_of_another_token_is_refused(key: SigningKey, settings: Settings) -> None:
    assert key.locator == pkcs11_custody.locator("idp", bytes.fromhex(key.id))
    for text, sentence in (
        (key.locator.replace("token=idp", "token=old%20one"), "in the token old one"),
        ("/etc/passwd", "says nowhere in a token"),
    ):
        with pytest.raises(KeyUnusable, match=sentence):
            pkcs11_custody.forget_key(text, settings)
