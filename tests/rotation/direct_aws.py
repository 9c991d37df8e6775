"""The sandbox AWS called directly, without HTTP: its own providers, judge and gate, only faster."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from botocore.exceptions import ClientError

from idp.aws.account_refusal import AccountRefusal
from idp.aws.arn import RoleArn
from idp.aws.iam import OpenedAccount, Patience, Reach
from idp.aws.provider_content import publishable, read_content
from idp.aws.registration import Registration, bring_up_to_date
from idp.aws.snippets import trust_policy
from idp.entitlements.account import Account
from idp.sandbox.assume import Gate
from idp.sandbox.behind import IamRole
from idp.sandbox.iam_api import IamSamlApi
from idp.sandbox.providers import SamlProviders
from idp.sandbox.query_api import Caller, Fields
from idp.sandbox.refusal import AwsRefusal
from idp.sandbox.sessions import Sessions
from idp.sandbox.sts_api import StsApi
from idp.sandbox.trail import Trail

ADDRESS = "http://127.0.0.1:9"


class DirectIam:
    """The three calls that registering makes, on the sandbox's own IAM."""

    def __init__(self, api: IamSamlApi, caller: Caller, now: datetime) -> None:
        self._api, self._caller, self._now = api, caller, now

    def get_saml_provider(self, **fields: str) -> dict[str, Any]:
        return self._answer("GetSAMLProvider", fields)

    def create_saml_provider(self, **fields: str) -> dict[str, Any]:
        return self._answer("CreateSAMLProvider", fields)

    def update_saml_provider(self, **fields: str) -> dict[str, Any]:
        return self._answer("UpdateSAMLProvider", fields)

    def _answer(self, action: str, fields: Mapping[str, str]) -> dict[str, Any]:
        try:
            answer = self._api.actions[action](Fields(fields), self._caller, self._now)
        except AwsRefusal as refusal:
            error = {"Error": {"Code": refusal.code, "Message": refusal.message}}
            raise ClientError(cast(Any, error), action) from None
        return {name: value for name, value in (answer or {}).items() if value is not None}


@dataclass
class DirectAws:
    """An AwsSide. Accounts in `refusing` (by number) answer nothing but refusals."""

    clock: Callable[[], datetime]
    refusing: set[str] = field(default_factory=set)
    providers: SamlProviders = field(default_factory=SamlProviders)

    def __post_init__(self) -> None:
        self._iam = IamSamlApi(self.providers)
        self._sts = StsApi(Gate(self.providers, Sessions(), self._role, Trail()), ADDRESS)

    def held(self, account: Account) -> frozenset[str]:
        """Fingerprints of the certificates that an account's provider holds."""
        provider = self.providers.find(str(account.provider))
        return read_content(provider.metadata.encode()).certificates if provider else frozenset()

    def delete(self, account: Account) -> None:
        """Somebody deletes an account's provider, if there is one."""
        if self.providers.find(str(account.provider)):
            self.providers.delete(str(account.provider), account.number)

    def replace(self, account: Account, metadata: bytes) -> None:
        """Somebody else changes an account's provider."""
        iam = self._open(account).iam
        iam.update_saml_provider(
            SAMLProviderArn=str(account.provider), SAMLMetadataDocument=metadata.decode()
        )

    def distribute(
        self, accounts: Sequence[Account], metadata: bytes, stopped: Callable[[], bool]
    ) -> Iterator[tuple[Account, Registration | AccountRefusal]]:
        publishable(metadata)
        for account in accounts:
            yield account, self._one(account, lambda each: self._register(each, metadata, stopped))

    def holding(
        self,
        accounts: Sequence[Account],
        fingerprint: str,
        issuer: str,
        stopped: Callable[[], bool],
    ) -> Iterator[tuple[Account, bool | AccountRefusal]]:
        for account in accounts:
            yield account, self._one(account, lambda each: fingerprint in self.held(each))

    def prove(
        self,
        accounts: Sequence[Account],
        assertion_for: Callable[[Account], str],
        stopped: Callable[[], bool],
    ) -> Iterator[tuple[Account, str | AccountRefusal]]:
        for account in accounts:
            yield account, self._one(account, lambda each: self.redeem(each, assertion_for(each)))

    def redeem(self, account: Account, assertion: str) -> str:
        """AssumeRoleWithSAML of the account's probe role; the ARN of the session."""
        fields = {
            "RoleArn": account.probe_role or "",
            "PrincipalArn": str(account.provider),
            "SAMLAssertion": assertion,
        }
        answer = self._sts.unsigned["AssumeRoleWithSAML"](Fields(fields), self.clock())
        return str(cast(dict[str, str], answer["AssumedRoleUser"])["Arn"])

    def _one(self, account: Account, work: Callable[[Account], Any]) -> Any:
        if account.number in self.refusing:
            return AccountRefusal("denied", "Not allowed, says the test.", "Allow it.")
        try:
            return work(account)
        except AccountRefusal as refusal:
            return refusal
        except AwsRefusal as refusal:
            return AccountRefusal("not_proved", refusal.message)

    def _register(
        self, account: Account, metadata: bytes, stopped: Callable[[], bool]
    ) -> Registration:
        return bring_up_to_date(self._open(account), account.provider, metadata, stopped=stopped)

    def _open(self, account: Account) -> OpenedAccount:
        caller = Caller(account.number, account.partition, "arn:aws:iam::root")
        patience = Patience(Reach(sleep=lambda _seconds: None))
        return OpenedAccount(
            cast(Any, DirectIam(self._iam, caller, self.clock())), caller.arn, patience
        )

    def _role(self, arn: RoleArn) -> IamRole | None:
        place = f"arn:{arn.partition}:iam::{arn.account}:saml-provider"
        policy = json.loads(trust_policy(f"{place}/ExampleIdP", [f"{ADDRESS}/saml"]))
        providers = [f"{place}/{name}" for name in ("ExampleIdP", "OtherIdP")]
        policy["Statement"][0]["Principal"]["Federated"] = providers
        return IamRole(str(arn), "AROAEXAMPLE", json.dumps(policy), 3600)
