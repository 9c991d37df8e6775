"""Key-encryption keys in AWS KMS: a symmetric key there wraps data keys and never comes here.

KMS is asked when a signing key is made and when a process opens it, not for each signature.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from botocore.session import Session

from idp.aws.account_refusal import code_of, shortened
from idp.keys.bounded_calls import BoundedCalls, TookTooLong
from idp.keys.envelope import Bound, DataKey
from idp.keys.signing_key import KeyUnusable

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

T = TypeVar("T")

# Two attempts of 1 s to connect and 2 s to read, with a pause between. Finding the address and the
# credentials has no such limits, so LONGEST_SECONDS holds for all of it.
LONGEST_SECONDS = 7.0
BOUNDED = Config(
    connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 2, "mode": "standard"}
)
_FAILURES = (ClientError, BotoCoreError, ResponseParserError, KeyError)


@dataclass(frozen=True, slots=True)
class KmsEncryption:
    """Wraps data keys with the KMS key `key`: its ARN, or an identifier or alias."""

    key: str

    @property
    def kind(self) -> str:
        """The word for it in keys.encryption."""
        return "kms"

    def new_data_key(self, bound: Bound) -> DataKey:
        """A new data key from GenerateDataKey. Raises KeyUnusable."""

        def work() -> DataKey:
            made = _client(self.key).generate_data_key(
                KeyId=self.key, KeySpec="AES_256", EncryptionContext=bound.context
            )
            return DataKey(made["Plaintext"], made["CiphertextBlob"], made["KeyId"])

        return _asked(work, "make a data key", self.key)

    def unwrap(self, wrapped: bytes, by: str, bound: Bound) -> bytes:
        """The data key again, from Decrypt with the KMS key that wrapped it. Raises KeyUnusable."""

        def work() -> bytes:
            opened = _client(by).decrypt(
                CiphertextBlob=wrapped, KeyId=by, EncryptionContext=bound.context
            )
            return opened["Plaintext"]

        return _asked(work, f"open the private key of {bound.key_id}", by)


def _asked(work: Callable[[], T], what: str, key: str) -> T:
    calls = BoundedCalls("kms-encryption", threads=1)
    try:
        return calls.run(work, LONGEST_SECONDS)
    except (TookTooLong, *_FAILURES) as problem:
        raise _refused(what, key, problem) from None
    finally:
        calls.end()


def _client(key: str) -> KMSClient:
    parts = key.split(":")
    region = parts[3] if len(parts) > 5 and parts[0] == "arn" else None
    client = Session().create_client("kms", region_name=region, config=BOUNDED)
    return cast("KMSClient", client)


def _refused(what: str, key: str, problem: Exception) -> KeyUnusable:
    if isinstance(problem, ClientError):
        said = shortened(str(problem.response.get("Error", {}).get("Message", "")))
        reason = f"{code_of(problem)}: {said}" if said else code_of(problem)
    elif isinstance(problem, TookTooLong):
        reason = f"no answer within {LONGEST_SECONDS:g} seconds"
    else:
        reason = f"{type(problem).__name__}: {shortened(str(problem))}"
    return KeyUnusable(
        f"AWS KMS did not {what} with {shortened(key)} ({reason.rstrip('.')}).",
        "See that this machine reaches KMS with credentials, and that they may use that KMS key "
        "(kms:GenerateDataKey, kms:Decrypt) with the encryption context.",
    )
