"""A private key in a token: the right one, unable to leave, and signing."""

from __future__ import annotations

import pkcs11
from cryptography.hazmat.primitives.asymmetric import rsa
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.exceptions import AttributeSensitive, AttributeTypeInvalid, MechanismInvalid

from idp.keys.delegated_key import verified
from idp.keys.signing_key import KeyUnusable

_MECHANISMS = {
    "sha256": Mechanism.SHA256_RSA_PKCS,
    "sha384": Mechanism.SHA384_RSA_PKCS,
    "sha512": Mechanism.SHA512_RSA_PKCS,
}
_PROOF = b"idp: is this the key of the certificate?"


def find(
    session: pkcs11.Session, name: bytes, public: rsa.RSAPublicKey, token: str
) -> pkcs11.PrivateKey:
    """The private key with CKA_ID `name` whose signatures `public` verifies.

    Labels and even CKA_ID may be there several times: a signature tells. Raises KeyUnusable.
    """
    wanted = {
        Attribute.CLASS: ObjectClass.PRIVATE_KEY,
        Attribute.KEY_TYPE: KeyType.RSA,
        Attribute.ID: name,
    }
    found = list(session.get_objects(wanted))
    if not found:
        raise KeyUnusable(
            f"The token {token} has no private key with the ID {name.hex()}.",
            "It was deleted, or this is another token: bring it back from the HSM's backup, or "
            "make a new key.",
        )
    refusal: KeyUnusable | None = None
    for each in found:
        try:
            return _proven(each, public, token)
        except KeyUnusable as problem:
            refusal = problem
    assert refusal is not None  # noqa: S101
    raise refusal


def _proven(found: pkcs11.Object, public: rsa.RSAPublicKey, token: str) -> pkcs11.PrivateKey:
    if not isinstance(found, pkcs11.PrivateKey) or not isinstance(found, pkcs11.types.SignMixin):
        raise KeyUnusable(f"The key with this ID in the token {token} may not sign.")
    require_held(found, token)
    verified(sign(found, _PROOF, "sha256"), public, _PROOF, "sha256", f"The token {token}")
    return found


def sign(key: pkcs11.PrivateKey, data: bytes, digest: str) -> bytes:
    """RSASSA-PKCS1-v1_5 over `data`. Raises PKCS11Error, KeyUnusable."""
    assert isinstance(key, pkcs11.types.SignMixin)  # noqa: S101
    try:
        return bytes(key.sign(data, mechanism=_MECHANISMS[digest]))
    except MechanismInvalid:
        raise KeyUnusable(
            f"The token can't sign with {_MECHANISMS[digest].name}.",
            "Set saml.digest to a hash that it can.",
        ) from None


def require_held(key: pkcs11.PrivateKey, token: str) -> None:
    """Raise KeyUnusable unless the private key can't leave the token."""
    for attribute, wanted in ((Attribute.SENSITIVE, True), (Attribute.EXTRACTABLE, False)):
        try:
            value = key[attribute]
        except (AttributeTypeInvalid, AttributeSensitive):
            value = None
        if value is not wanted:
            raise KeyUnusable(
                f"The private key could leave the token {token} "
                f"({attribute.name} is {value}, not {wanted}).",
                "Keys that `idp certs generate` makes can't. Set the HSM up so that it keeps them.",
            )


def public_numbers(key: pkcs11.PublicKey) -> rsa.RSAPublicNumbers:
    """What the token says of the public half. Raises PKCS11Error."""
    return rsa.RSAPublicNumbers(
        int.from_bytes(key[Attribute.PUBLIC_EXPONENT], "big"),
        int.from_bytes(key[Attribute.MODULUS], "big"),
    )
