"""A SAML provider's private keys and encryption mode: looked at, changed, and read back.

The private half of a key passes through here once, on its way to IAM. It is written nowhere.
Source: IAM API reference, UpdateSAMLProvider and GetSAMLProvider.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import ClientError, ParamValidationError
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from idp.aws.account_refusal import AccountRefusal, code_of, retries_before
from idp.aws.arn import ProviderArn
from idp.aws.iam import OpenedAccount

MOST_KEYS = 2
ABSENT = "absent"
REQUIRED, ALLOWED = "Required", "Allowed"
# IAM answers from copies that catch up after a while (IAM User Guide, "eventual consistency").
_READ_BACK_PAUSES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
_TURNS = 5


@dataclass(frozen=True, slots=True)
class HeldKeys:
    """What IAM holds: `ids` are the KeyIds of the private keys, the oldest first."""

    uuid: str
    mode: str
    ids: tuple[str, ...]


class ProviderKeys:
    """The keys and the mode of one provider, in an opened account."""

    def __init__(self, account: OpenedAccount, arn: ProviderArn) -> None:
        self._account = account
        self._arn = arn

    def look(self) -> HeldKeys:
        """What is held now. Raises AccountRefusal without the provider, and what boto3 raises."""
        try:
            found = self._account.iam.get_saml_provider(SAMLProviderArn=str(self._arn))
        except ClientError as problem:
            if code_of(problem) != "NoSuchEntity":
                raise
            raise AccountRefusal(
                ABSENT,
                f"There is no {self._arn}.",
                "Register it first: idp aws register ACCOUNT",
            ) from None
        keys = sorted(found.get("PrivateKeyList", []), key=lambda key: key["Timestamp"])
        return HeldKeys(
            found.get("SAMLProviderUUID", ""),
            found.get("AssertionEncryptionMode", ""),
            tuple(key["KeyId"] for key in keys),
        )

    def add(self, key: RSAPrivateKey, before: HeldKeys) -> str:
        """Upload the private half of `key`; gives its KeyId. Raises AccountRefusal.

        `before` is what was held until now. An upload whose answer got lost and that was sent
        again counts once: what it left twice is removed.
        """
        keep_out_of_logs()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
        try:
            self._account.iam.update_saml_provider(
                SAMLProviderArn=str(self._arn), AddPrivateKey=pem
            )
        except ClientError as problem:
            if not (_at_limit(problem) and retries_before(problem)):
                raise _without_the_key(problem) from None
        except ParamValidationError:
            raise AccountRefusal("invalid_key", "IAM would not take the private key.") from None
        finally:
            del pem
        held = self._until(lambda found: bool(_new(found, before)), "does not show the new key")
        *twice, newest = _new(held, before)
        for key_id in twice:
            self.remove(key_id)
        return newest

    def remove(self, key_id: str) -> bool:
        """Remove the private key, if it is there; says whether it was. Raises AccountRefusal."""
        if key_id not in self.look().ids:
            return False
        self._change(RemovePrivateKey=key_id)
        self._until(lambda found: key_id not in found.ids, f"still holds the key {key_id}")
        return True

    def set_mode(self, mode: str, *, anyway: bool = False) -> None:
        """Set AssertionEncryptionMode, if it isn't that already. Raises AccountRefusal.

        `anyway` sets it all the same: a copy of IAM's that lags behind may show the wanted mode
        although another one was set a moment ago.
        """
        if not anyway and self.look().mode == mode:
            return
        self._change(AssertionEncryptionMode=mode)
        self._until(lambda found: found.mode == mode, f"does not say {mode} yet")

    def _change(self, **wanted: str) -> None:
        for turn in range(_TURNS):
            try:
                self._account.iam.update_saml_provider(
                    SAMLProviderArn=str(self._arn),
                    **wanted,  # type: ignore[arg-type]
                )
            except ClientError as problem:
                if code_of(problem) == "ConcurrentModification" and turn < _TURNS - 1:
                    self._account.pause(0.5 * (turn + 1))
                    continue
                if "RemovePrivateKey" in wanted and retries_before(problem):
                    return  # the answer got lost; reading back tells
                raise
            return

    def _until(self, sound: Callable[[HeldKeys], bool], otherwise: str) -> HeldKeys:
        for seconds in _READ_BACK_PAUSES:
            self._account.pause(seconds)
            held = self.look()
            if sound(held):
                return held
        raise AccountRefusal(
            "not_held",
            f"AWS took the change, but {self._arn} {otherwise}.",
            "Somebody else may have changed it. Run it again.",
        )


def keep_out_of_logs() -> None:
    """Let botocore never write a request down: its debug output has the whole body in it."""
    for name in list(logging.Logger.manager.loggerDict):
        if name == "botocore" or name.startswith(("botocore.", "boto3.")):
            logging.getLogger(name).setLevel(logging.INFO)
    logging.getLogger("botocore").setLevel(logging.INFO)


def _new(held: HeldKeys, before: HeldKeys) -> list[str]:
    return [key_id for key_id in held.ids if key_id not in before.ids]


def _at_limit(problem: ClientError) -> bool:
    return code_of(problem) in ("LimitExceeded", "LimitExceededException")


def _without_the_key(problem: ClientError) -> Exception:
    """The refusal; one that repeats what was sent is told by its code alone."""
    said = str(problem.response.get("Error", {}).get("Message", ""))
    if "PRIVATE KEY" in said or len(said) > 200:
        return AccountRefusal(
            "invalid_key",
            f"IAM does not take the private key ({code_of(problem)}).",
            "Try another length of it: --bits.",
        )
    if _at_limit(problem):
        return AccountRefusal(
            "limit",
            f"The provider is at a limit of IAM ({said}).",
            "IAM holds two private keys for a provider. Remove one that is not in use: "
            "aws iam update-saml-provider --remove-private-key KEY-ID",
        )
    return problem
