"""Taking in a key that was made elsewhere, with its certificate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from sqlalchemy import select
from sqlalchemy.orm import Session

from idp.db.engine import Database
from idp.db.models import SigningKeyRow
from idp.errors import IdpError
from idp.keys.certificate import fingerprint
from idp.keys.new_key import NewKey, given_key
from idp.keys.store import require_room
from idp.settings import Settings

LEAST_BITS = 2048  # NIST SP 800-131A: no shorter RSA keys for new signatures
MOST_BITS = 8192
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class KeyNotTaken(IdpError):
    """A key or certificate from elsewhere can't be used as a signing key."""


class PassphraseNeeded(KeyNotTaken):
    """The private key is encrypted, and no passphrase was given."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A private key, and the certificate that belongs to it."""

    private: rsa.RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate


def read_pair(
    key: bytes, certificate: bytes | None, passphrase: bytes | None, now: datetime
) -> Pair:
    """A pair from PEM or PKCS#12; `certificate` is a second file (PEM or DER), if there is one.

    A byte order mark of UTF-8 does no harm. Raises PassphraseNeeded and KeyNotTaken.
    """
    key = _without_mark(key, "The key file")
    private, certificates = _read_key(key, passphrase)
    rsa_key = _require_rsa(private)
    if certificate is not None:
        certificates = _read_certificates(_without_mark(certificate, "The certificate file"))
    if not certificates:
        raise KeyNotTaken(
            "There is no certificate with the key.", "Name its file: --certificate FILE"
        )
    return Pair(rsa_key, _fitting(certificates, rsa_key, now))


@contextmanager
def imported_key(
    database: Database, settings: Settings, pair: Pair, now: datetime, actor: str
) -> Iterator[NewKey]:
    """Take a pair into custody "file"; the block writes it down, or it goes again.

    Raises KeyNotTaken (it is here already), KeyStepRefused (ten keys are published already), and
    what given_key raises.
    """
    with database.reading() as session:
        _refuse_known(session, pair)
        require_room(session)
    with given_key(database, settings, pair.private, pair.certificate, now, actor) as new:
        yield new


def _refuse_known(session: Session, pair: Pair) -> None:
    known = session.scalar(
        select(SigningKeyRow).where(SigningKeyRow.fingerprint == fingerprint(pair.certificate))
    )
    if known is not None:
        raise KeyNotTaken(f"This certificate is here already: key {known.id}, {known.state}.")


def _without_mark(content: bytes, what: str) -> bytes:
    if content.startswith(_UTF16_MARKS):
        raise KeyNotTaken(
            f"{what} is text in UTF-16, by the byte order mark at its beginning.",
            "Save it as ASCII or UTF-8.",
        )
    return content.removeprefix(_UTF8_MARK)


def _read_key(
    content: bytes, passphrase: bytes | None
) -> tuple[object, Sequence[x509.Certificate]]:
    if b"-----BEGIN" not in content:
        return _read_pkcs12(content, passphrase)
    if b"PRIVATE KEY-----" not in content:
        raise KeyNotTaken("The key file holds no private key.", "Give a PEM or PKCS#12 file.")
    encrypted = b"ENCRYPTED" in content
    if encrypted and passphrase is None:
        raise PassphraseNeeded(
            "The private key is encrypted, and no passphrase was given.",
            "Give --passphrase-file FILE, or --passphrase-env NAME.",
        )
    try:
        private = serialization.load_pem_private_key(content, passphrase if encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        if encrypted:
            raise _wrong_passphrase() from None
        raise KeyNotTaken(
            "The private key in the file can't be read.", "Give a PEM or PKCS#12 file."
        ) from None
    certificates = _read_certificates(content) if b"BEGIN CERTIFICATE" in content else []
    return private, certificates


def _read_pkcs12(
    content: bytes, passphrase: bytes | None
) -> tuple[object, Sequence[x509.Certificate]]:
    if not content.startswith(b"0"):  # an ASN.1 SEQUENCE
        raise KeyNotTaken("The key file is neither PEM nor PKCS#12.", "Save the key as PEM.")
    try:
        key, certificate, others = pkcs12.load_key_and_certificates(content, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm) as problem:
        if "password" not in str(problem).lower():
            raise KeyNotTaken(
                "The key file is neither PEM nor PKCS#12 that can be read.", "Save the key as PEM."
            ) from None
        if passphrase is None:
            raise PassphraseNeeded(
                "The PKCS#12 file is encrypted, and no passphrase was given.",
                "Give --passphrase-file FILE, or --passphrase-env NAME.",
            ) from None
        raise _wrong_passphrase() from None
    if key is None:
        raise KeyNotTaken("The key file holds no private key.", "Export it with its key.")
    return key, [certificate, *others] if certificate else others


def _wrong_passphrase() -> KeyNotTaken:
    return KeyNotTaken(
        "The private key does not open with this passphrase, or its file is damaged.",
        "Try again with the right one; blanks and line ends count.",
    )


def _require_rsa(private: object) -> rsa.RSAPrivateKey:
    if not isinstance(private, rsa.RSAPrivateKey):
        kinds = {ec.EllipticCurvePrivateKey: "an EC key", dsa.DSAPrivateKey: "a DSA key"}
        found = (words for each, words in kinds.items() if isinstance(private, each))
        kind = next(found, "a key of another kind")
        raise KeyNotTaken(f"This is {kind}; signing keys are RSA.", "Make an RSA key.")
    if not LEAST_BITS <= private.key_size <= MOST_BITS:
        raise KeyNotTaken(
            f"This RSA key has {private.key_size} bits; signing keys have {LEAST_BITS} to "
            f"{MOST_BITS}.",
            "Make another one: idp certs generate",
        )
    return private


def _read_certificates(content: bytes) -> Sequence[x509.Certificate]:
    try:
        if b"-----BEGIN" in content:
            return x509.load_pem_x509_certificates(content)
        return [x509.load_der_x509_certificate(content)]
    except ValueError:
        raise KeyNotTaken(
            "The certificate is not an X.509 certificate that can be read.",
            "Save it as PEM, beginning with -----BEGIN CERTIFICATE-----.",
        ) from None


def _fitting(
    certificates: Sequence[x509.Certificate], key: rsa.RSAPrivateKey, now: datetime
) -> x509.Certificate:
    """The certificate of this key, which may come with those that signed it."""
    wanted = key.public_key()
    certificate = next((each for each in certificates if _public(each) == wanted), None)
    if certificate is None:
        kind = "" if isinstance(_public(certificates[0]), rsa.RSAPublicKey) else ", not an RSA key"
        raise KeyNotTaken(
            f"The certificate belongs to another key{kind}.", "Give the one made for this key."
        )
    if certificate.not_valid_after_utc <= now:
        raise KeyNotTaken(
            f"The certificate ended on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC.",
            "Get another one for the key, or make a new key: idp certs generate",
        )
    if certificate.not_valid_before_utc > now:
        raise KeyNotTaken(
            f"The certificate is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M}"
            " UTC.",
            "Import it then, or see that this machine's clock is right.",
        )
    return certificate


def _public(certificate: x509.Certificate) -> object:
    try:
        return certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
