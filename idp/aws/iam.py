"""Reaching the IAM API of one account, and making sure that it is that account."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.loaders import Loader
from botocore.session import Session

from idp.aws.account_refusal import AccountRefusal, OutOfTime, refusal_of
from idp.aws.arn import ProviderArn
from idp.aws.endpoints import PARTITIONS
from idp.errors import IdpError

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_sts import STSClient

SESSION_NAME = "idp-register"
SHORTEST_SESSION = 900  # seconds; the least that AssumeRole gives
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class BadApiEndpoint(IdpError):
    """The address given for the AWS API is none that credentials may be used with."""


@dataclass(frozen=True, slots=True)
class AccountTarget:
    """An account to reach: its SAML provider, and the profile or role that opens its API.

    With neither a profile nor a role it is the credentials that boto3 finds by default.
    """

    provider: ProviderArn
    profile: str | None = None
    access_role: str | None = None

    @property
    def access(self) -> str:
        """How the account is reached, in words."""
        return f"the role {self.access_role}" if self.access_role else self.source

    @property
    def source(self) -> str:
        """Whose credentials they are in the beginning, in words."""
        return f"the profile {self.profile}" if self.profile else "the default credentials"


@dataclass(frozen=True, slots=True)
class Reach:
    """Where the API is and how long to try. All times are seconds.

    `endpoint_url` is empty for AWS itself; an address on loopback is taken for a sandbox, where an
    account without profile or role is entered with its number as the access key. `total` bounds
    one account's calls: none begins later. Calls are tried `attempts` times, waiting longer each
    time (botocore's standard mode).
    """

    endpoint_url: str = ""
    connect: float = 5
    answer: float = 10
    total: float = 60
    attempts: int = 6
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    @property
    def loopback(self) -> bool:
        """Whether the endpoint is on this machine."""
        return bool(self.endpoint_url) and urlsplit(self.endpoint_url).hostname in LOOPBACK


def check_api_endpoint(url: str) -> str:
    """The address without a slash at its end. Raises BadApiEndpoint unless https or loopback."""
    try:
        parts = urlsplit(url)
        sound = parts.hostname and parts.path in ("", "/") and (parts.port or 1) > 0
    except ValueError:
        sound = False
    if not sound or not url.isprintable() or parts.query or parts.fragment or "@" in parts.netloc:
        raise BadApiEndpoint(
            f"{url[:200]!r} is not the address of an AWS API.",
            "It should be like http://127.0.0.1:8081 or https://iam.example.com, without a path.",
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise BadApiEndpoint(
            f"{url[:200]} is not safe to send signed calls to.",
            "Use https://, or http:// with 127.0.0.1, localhost or [::1].",
        )
    return url.rstrip("/")


class OpenedAccount:
    """IAM of an account whose identity has been checked, while its time lasts."""

    def __init__(self, iam: IAMClient, caller: str, patience: Patience) -> None:
        self.iam = iam
        self.caller = caller
        self._patience = patience

    def pause(self, seconds: float) -> None:
        """Wait before another try. Raises OutOfTime if the account's time is up."""
        self._patience.pause(seconds)


class Patience:
    """Lets no call begin after the account's time, and remembers why the last one failed."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._end = reach.clock() + reach.total
        self._last, self._status = "", 0

    def watch(self, client: Any) -> None:
        """Hold every call of a botocore client to the time."""
        client.meta.events.register("before-send", self._before_send)
        client.meta.events.register("needs-retry", self._note)

    def pause(self, seconds: float) -> None:
        """Wait. Raises OutOfTime if the time would be up then."""
        if self._reach.clock() + seconds > self._end:
            raise OutOfTime(self._reach.total, self._last, self._status)
        self._reach.sleep(seconds)

    def _before_send(self, **_event: Any) -> None:
        if self._reach.clock() > self._end:
            raise OutOfTime(self._reach.total, self._last, self._status)

    def _note(self, **event: Any) -> None:
        caught, response = event.get("caught_exception"), event.get("response")
        if caught is not None:
            self._last, self._status = type(caught).__name__, 0
        elif response is not None and (error := response[1].get("Error")):
            self._last, self._status = str(error.get("Code", "")), response[0].status_code


@contextmanager
def open_account(target: AccountTarget, reach: Reach) -> Iterator[OpenedAccount]:
    """Enter an account, checking first with GetCallerIdentity that it is that very account.

    Raises AccountRefusal for whatever boto3 raises, also for what is raised inside the block.
    Everything is made anew, for botocore's sessions are not safe to share between threads.
    """
    try:
        patience = Patience(reach)
        session = _session(target, reach)
        keys = _sandbox_keys(target, reach)
        if target.access_role:
            with closing(_client(session, "sts", target, reach, patience, keys)) as sts:
                keys = _assumed(cast("STSClient", sts), target.access_role)
        with closing(_client(session, "sts", target, reach, patience, keys)) as sts:
            caller = _checked_caller(cast("STSClient", sts), target)
        with closing(_client(session, "iam", target, reach, patience, keys)) as iam:
            yield OpenedAccount(cast("IAMClient", iam), caller, patience)
    except IdpError:
        raise
    except Exception as problem:
        raise refusal_of(problem, target.provider, target.access, target.source) from problem


def _session(target: AccountTarget, reach: Reach) -> Session:
    session = Session(profile=target.profile)
    session.register_component("data_loader", api_models())
    # Also for the clients that botocore makes itself to fetch a profile's credentials.
    session.set_default_client_config(client_config(reach))
    if code_asked_for := asks_for_code(session):
        raise AccountRefusal(
            "mfa",
            f"The profile {code_asked_for} asks for an MFA code, which can't be typed here.",
            "Put credentials that have passed MFA into a profile: aws sts get-session-token",
        )
    return session


@cache
def api_models() -> Loader:
    """One store of AWS's API models for all threads: reading them is most of a client's making."""
    loader: Loader = Session().get_component("data_loader")
    return loader


def asks_for_code(session: Session) -> str | None:
    """The profile in a chain of profiles for which botocore would ask at the terminal."""
    profiles = session.full_config.get("profiles", {})
    name, seen = session.profile or "default", set[str]()
    while name in profiles and name not in seen:
        seen.add(name)
        if "mfa_serial" in profiles[name] and "role_arn" in profiles[name]:
            return name
        name = profiles[name].get("source_profile", "")
    return None


def _sandbox_keys(target: AccountTarget, reach: Reach) -> dict[str, str]:
    if not reach.loopback or target.profile or target.access_role:
        return {}
    return {
        "aws_access_key_id": target.provider.account,
        "aws_secret_access_key": "sandbox",
    }


def client_config(reach: Reach) -> Config:
    """How botocore's clients connect, wait and try again."""
    return Config(
        connect_timeout=reach.connect,
        read_timeout=reach.answer,
        retries={"mode": "standard", "total_max_attempts": reach.attempts},
        # A proxy for the way out must not be asked for this machine.
        proxies={} if reach.loopback else None,
        user_agent_extra="idp",
    )


def _client(
    session: Session,
    service: str,
    target: AccountTarget,
    reach: Reach,
    patience: Patience,
    keys: dict[str, str],
) -> Any:
    client = session.create_client(
        service,
        region_name=PARTITIONS[target.provider.partition].default_region,
        endpoint_url=reach.endpoint_url or None,
        config=client_config(reach),
        **keys,  # type: ignore[arg-type]
    )
    patience.watch(client)
    return client


def _assumed(sts: STSClient, role: str) -> dict[str, str]:
    answer = sts.assume_role(
        RoleArn=role, RoleSessionName=SESSION_NAME, DurationSeconds=SHORTEST_SESSION
    )
    credentials = answer["Credentials"]
    return {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        "aws_session_token": credentials["SessionToken"],
    }


def _checked_caller(sts: STSClient, target: AccountTarget) -> str:
    """Who calls. Raises AccountRefusal if it isn't somebody of the account and partition meant."""
    found = sts.get_caller_identity()
    provider, arn = target.provider, str(found.get("Arn", ""))
    if found["Account"] != provider.account:
        raise AccountRefusal(
            "wrong_account",
            f"These credentials are of account {found['Account'][:12]}, "
            f"not {provider.account} ({target.access}).",
            "Nothing was changed. Give the account its own --profile or --access-role.",
        )
    partition = arn.split(":")[1] if arn.count(":") >= 5 else provider.partition
    if partition != provider.partition:
        raise AccountRefusal(
            "wrong_partition",
            f"These credentials are of the partition {partition[:20]}, "
            f"not {provider.partition} ({target.access}).",
            "Nothing was changed. Correct it: idp aws account add … --partition … --update",
        )
    return arn
