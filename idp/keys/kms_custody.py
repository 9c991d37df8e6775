"""Custody "kms": the private key is made in AWS KMS and never leaves it; KMS signs for us."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import rsa

from idp.keys.delegated_key import DelegatedKey, verified
from idp.keys.kms_connection import deletion_by_hand, kms_connection
from idp.keys.made_key import MadeKey
from idp.keys.signing_key import KeyUnusable, SigningKey
from idp.settings import KmsSettings, Settings

_PROBE = b"idp: does KMS sign with this key?"
_PROBE_EVERY = 30.0  # seconds; each costs money, and sign-ins tell as well


@dataclass(frozen=True, slots=True)
class KmsSigner:
    """Has KMS sign with the key of an ARN."""

    certificate: str
    _public: rsa.RSAPublicKey
    _key: str
    _settings: KmsSettings

    def sign(self, data: bytes, digest: str) -> bytes:
        """RSASSA-PKCS1-v1_5 over `data` with hash `digest`. Raises KeyUnusable, CustodyDown."""
        signature = kms_connection(self._settings).sign(self._key, data, digest)
        return verified(signature, self._public, data, digest, f"The KMS key {self._key}")

    def probe(self) -> None:
        """Raise KeyUnusable if KMS would not sign now, as far as is known from the last while."""
        if not kms_connection(self._settings).gate(self._key).succeeded_within(_PROBE_EVERY):
            self.sign(_PROBE, "sha256")


def make_key(settings: Settings, key_id: str, bits: int) -> MadeKey:
    """Make an RSA key in KMS; its locator is its ARN. Raises KeyUnusable, CustodyDown."""
    own = settings.keys.kms
    arn, public = kms_connection(own).create(key_id, bits)
    return MadeKey(arn, DelegatedKey(public, KmsSigner("", public, arn, own).sign))


def open_signer(key: SigningKey, settings: Settings) -> KmsSigner:
    """A Signer for `key`, which has signed once to prove itself.

    Raises KeyUnusable, CustodyDown.
    """
    public = key.certificate.public_key()
    if not isinstance(public, rsa.RSAPublicKey):
        raise KeyUnusable(f"The certificate of {key.id} is not of an RSA key.")
    signer = KmsSigner(key.certificate_base64, public, key.locator, settings.keys.kms)
    signer.probe()
    return signer


def forget_key(locator: str, settings: Settings) -> None:
    """Have KMS delete the key after its waiting time. Raises KeyUnusable, CustodyDown."""
    kms_connection(settings.keys.kms).schedule_deletion(locator)


def how_to_forget(locator: str) -> str:
    """What an administrator does by hand instead of forget_key."""
    return deletion_by_hand(locator)
