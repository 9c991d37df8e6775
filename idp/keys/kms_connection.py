"""The KMS API of one installation: bounded in time, and left alone for a while when it is down."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.session import Session
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from idp.aws.iam import LOOPBACK, BadApiEndpoint, api_models, asks_for_code, check_api_endpoint
from idp.keys.bounded_calls import BoundedCalls, TookTooLong
from idp.keys.gate import Gate
from idp.keys.kms_refusal import kms_refusal, wants_new_credentials
from idp.keys.left_over import take_away
from idp.keys.signing_key import CustodyDown, KeyUnusable
from idp.settings import KmsSettings

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_kms.literals import KeySpecType, SigningAlgorithmSpecType

T = TypeVar("T")

LARGEST_MESSAGE = 4096  # bytes; KMS API Reference, Sign, Message
PAUSE_SECONDS = 5.0  # between two tries while KMS is down
ATTEMPTS = 2
ADMIN_SECONDS = 30.0  # for what a person at a terminal waits for; tried once, see _config
_THREADS = 16

_ALGORITHMS: dict[str, SigningAlgorithmSpecType] = {
    "sha256": "RSASSA_PKCS1_V1_5_SHA_256",
    "sha384": "RSASSA_PKCS1_V1_5_SHA_384",
    "sha512": "RSASSA_PKCS1_V1_5_SHA_512",
}


class KmsConnection:
    """Signs with keys in KMS. Safe to use from any thread."""

    def __init__(self, settings: KmsSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._calls = BoundedCalls("kms", _THREADS)
        self._gates: dict[str, Gate] = {}
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, bool], KMSClient] = {}

    def sign(self, key: str, data: bytes, digest: str) -> bytes:
        """RSASSA-PKCS1-v1_5 over `data` by the key of this ARN. Raises KeyUnusable, CustodyDown.

        KMS hashes for us (MessageType RAW), so that it sees what it signs.
        """
        if len(data) > LARGEST_MESSAGE:
            raise KeyUnusable(
                f"AWS KMS signs {LARGEST_MESSAGE:,} bytes at most, and these are {len(data):,}."
            )

        def work(client: KMSClient) -> bytes:
            answer = client.sign(
                KeyId=key,
                Message=data,
                MessageType="RAW",
                SigningAlgorithm=_ALGORITHMS[digest],
            )
            return answer["Signature"]

        return self.gate(key).run(
            partial(self._ask, work, "kms:Sign", key, self._settings.total_seconds)
        )

    def create(self, key_id: str, bits: int) -> tuple[str, rsa.RSAPublicKey]:
        """Make a key that signs; gives its ARN and public half.

        What is begun and can't be finished is scheduled for deletion. Raises KeyUnusable,
        CustodyDown.
        """

        def create(client: KMSClient) -> str:
            answer = client.create_key(
                KeySpec=cast("KeySpecType", f"RSA_{bits}"),
                KeyUsage="SIGN_VERIFY",
                Description=f"Signs SAML assertions of the identity provider: key {key_id}",
                Tags=[{"TagKey": "idp-signing-key", "TagValue": key_id}],
            )
            return answer["KeyMetadata"]["Arn"]

        def name(client: KMSClient) -> None:
            client.create_alias(AliasName=f"alias/idp-signing-{key_id}", TargetKeyId=key)

        def public_key(client: KMSClient) -> bytes:
            return client.get_public_key(KeyId=key)["PublicKey"]

        try:
            key = self._ask(create, "kms:CreateKey", "(a new one)", ADMIN_SECONDS)
        except CustodyDown as problem:
            raise CustodyDown(
                problem.message,
                "Run it again when KMS answers. If KMS made a key all the same, that has the tag "
                f"idp-signing-key with the value {key_id}, and can be deleted.",
            ) from None
        try:
            self._ask(name, "kms:CreateAlias", key, ADMIN_SECONDS)
            der = self._ask(public_key, "kms:GetPublicKey", key, ADMIN_SECONDS)
            public = load_der_public_key(der)
            if not isinstance(public, rsa.RSAPublicKey) or public.key_size != bits:
                raise KeyUnusable(f"The KMS key {key} is not an RSA key of {bits} bits.")
        except BaseException as problem:
            take_away(lambda: self.schedule_deletion(key), key, deletion_by_hand(key), problem)
            raise
        return key, public

    def schedule_deletion(self, key: str) -> None:
        """Have KMS delete the key after keys.kms.deletion_days. Raises KeyUnusable, CustodyDown."""

        def schedule(client: KMSClient) -> None:
            client.schedule_key_deletion(
                KeyId=key.rpartition("/")[2],  # moto does not take an ARN here
                PendingWindowInDays=self._settings.deletion_days,
            )

        self._ask(schedule, "kms:ScheduleKeyDeletion", key, ADMIN_SECONDS)

    def close(self) -> None:
        """End what runs for it; there are to be no more calls."""
        self._calls.end()
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()

    def gate(self, key: str) -> Gate:
        """What keeps sign-ins from a key that KMS refused a moment ago."""
        found = self._gates.get(key)
        return found or self._gates.setdefault(key, Gate(f"kms {key}", PAUSE_SECONDS, self._clock))

    def _ask(self, work: Callable[[KMSClient], T], action: str, key: str, seconds: float) -> T:
        try:
            patient = action != "kms:Sign"
            return self._calls.run(lambda: work(self._client(key, patient)), seconds)
        except KeyUnusable:
            raise
        except TookTooLong:
            raise CustodyDown(
                f"AWS KMS does not answer within {seconds:g} seconds.",
                "It is tried again every few seconds.",
            ) from None
        except Exception as problem:
            if wants_new_credentials(problem):
                self._clients.clear()
            raise kms_refusal(problem, action, key, self._access) from None

    @property
    def _access(self) -> str:
        profile = self._settings.profile
        return f"the profile {profile}" if profile else "the default credentials"

    def _client(self, key: str, patient: bool) -> KMSClient:
        """A client for the key's Region; botocore's clients may be shared between threads."""
        parts = key.split(":")
        region = parts[3] if len(parts) > 5 else self._settings.region
        with self._lock:
            if (region, patient) not in self._clients:
                self._clients[region, patient] = self._made_client(region, patient)
            return self._clients[region, patient]

    def _made_client(self, region: str, patient: bool) -> KMSClient:
        settings = self._settings
        try:
            endpoint = check_api_endpoint(settings.endpoint_url) if settings.endpoint_url else ""
        except BadApiEndpoint as problem:
            raise KeyUnusable(problem.message, "Set keys.kms.endpoint_url.") from None
        config = self._config(patient)
        if endpoint and urlsplit(endpoint).hostname in LOOPBACK:
            # A proxy for the way out must not be asked for this machine.
            config = config.merge(Config(proxies={}))
        session = Session(profile=settings.profile or None)
        session.register_component("data_loader", api_models())
        session.set_default_client_config(config)
        if profile := asks_for_code(session):
            raise KeyUnusable(
                f"The profile {profile} asks for an MFA code, which a server can't type.",
                "Give the server a role of its own.",
            )
        client = session.create_client(
            "kms", region_name=region or None, endpoint_url=endpoint or None, config=config
        )
        return cast("KMSClient", client)

    def _config(self, patient: bool) -> Config:
        """Signing is tried twice, for it changes nothing. A CreateKey whose answer is late is not
        sent again: there would be a second key, which nobody knows of and which costs money.
        """
        settings = self._settings
        return Config(
            connect_timeout=settings.connect_seconds,
            read_timeout=ADMIN_SECONDS if patient else settings.answer_seconds,
            retries={"mode": "standard", "total_max_attempts": 1 if patient else ATTEMPTS},
            max_pool_connections=_THREADS,
            user_agent_extra="idp",
        )


def deletion_by_hand(key: str) -> str:
    """How an administrator has KMS delete the key of this ARN."""
    return f"Delete it: aws kms schedule-key-deletion --key-id {key} --pending-window-in-days 7"


_lock = threading.Lock()
_connections: dict[str, KmsConnection] = {}


def kms_connection(settings: KmsSettings) -> KmsConnection:
    """This process's connection with these settings."""
    name = settings.model_dump_json()
    with _lock:
        if name not in _connections:
            _connections[name] = KmsConnection(settings)
        return _connections[name]


def close_connections() -> None:
    """End the connections of this process, before it forks workers that open their own."""
    with _lock:
        for connection in _connections.values():
            connection.close()
        _connections.clear()


def _forget_parent() -> None:
    global _lock
    _lock = threading.Lock()
    _connections.clear()  # a connection that two processes write to serves neither


os.register_at_fork(after_in_child=_forget_parent)
