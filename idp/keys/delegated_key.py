"""A private RSA key that is elsewhere: it signs, and there is nothing to take out of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric import utils as asymmetric

from idp.keys.signing_key import KeyUnusable

HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_PADDING = padding.PKCS1v15()


class DelegatedKey(rsa.RSAPrivateKey):
    """Hands each signature on, so that certificates can be made for keys in tokens and clouds.

    `sign_elsewhere(data, digest)` gives an RSASSA-PKCS1-v1_5 signature, as a Signer does.
    """

    def __init__(
        self, public: rsa.RSAPublicKey, sign_elsewhere: Callable[[bytes, str], bytes]
    ) -> None:
        self._public = public
        self._sign_elsewhere = sign_elsewhere

    @property
    def key_size(self) -> int:
        """Length of the modulus in bits."""
        return self._public.key_size

    def public_key(self) -> rsa.RSAPublicKey:
        """The public half."""
        return self._public

    # The names of the parameters are those that x509.CertificateBuilder uses.
    def sign(
        self,
        data: bytes,
        padding: padding.AsymmetricPadding,
        algorithm: asymmetric.Prehashed | hashes.HashAlgorithm | asymmetric.NoDigestInfo,
    ) -> bytes:
        """Sign whole data with PKCS#1 v1.5; anything else raises TypeError."""
        if not isinstance(padding, type(_PADDING)) or not isinstance(algorithm, HASH_TYPES):
            raise TypeError("this key signs with PKCS#1 v1.5 and SHA-256, SHA-384 or SHA-512 only")
        return self._sign_elsewhere(data, algorithm.name)

    def _refuse(self, *_arguments: Any, **_named: Any) -> NoReturn:
        raise TypeError("the private key is held elsewhere and can't leave it")

    decrypt = private_numbers = private_bytes = __copy__ = __deepcopy__ = _refuse


HASH_TYPES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


def verified(
    signature: bytes, public: rsa.RSAPublicKey, data: bytes, digest: str, where: str
) -> bytes:
    """`signature` again, once it is seen to be right: what came from elsewhere may be of another
    key, or made another way. Raises KeyUnusable.
    """
    try:
        public.verify(signature, data, _PADDING, HASHES[digest])
    except InvalidSignature:
        raise KeyUnusable(
            f"{where} made a signature that does not belong to the certificate.",
            "The key there is another one, or was replaced: make a new key and activate it.",
        ) from None
    return signature
