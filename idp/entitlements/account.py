"""The AWS accounts that roles may lie in: nothing outside this list is ever granted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field

from idp.aws.arn import PARTITIONS, BadArn, ProviderArn, RoleArn
from idp.entitlements.names import name_key
from idp.errors import IdpError
from idp.saml.encryption import EncryptionKey

_NUMBER = re.compile(r"[0-9]{12}")
_ALIAS = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_PROVIDER_ID = re.compile(r"SAMLSP[A-Z0-9]{1,58}")
_PROFILE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?")


class BadAccount(IdpError):
    """An AWS account is described in a way that AWS does not know."""


@dataclass(frozen=True, slots=True)
class Account:
    """A registered account.

    `provider_name` is the name of the IAM SAML provider there, `provider_id` its unique
    identifier (SAMLSP...) if sign-in URLs carry one; `profile` or `access_role` (an ARN) say how
    the AWS API of that account is reached. `probe_role` (an ARN) is assumed to prove a new
    signing key before it signs for people. `encrypt_to` is the key that its assertions are
    encrypted to, if they are; it is kept apart, so it is no part of what makes accounts equal.
    """

    number: str
    alias: str
    partition: str
    provider_name: str
    provider_id: str | None = None
    profile: str | None = None
    access_role: str | None = None
    probe_role: str | None = None
    encrypt_to: EncryptionKey | None = field(default=None, compare=False)

    @property
    def provider(self) -> ProviderArn:
        """The SAML provider that vouches for us in this account."""
        return ProviderArn(self.partition, self.number, self.provider_name)


def account_document(account: Account) -> dict[str, str | None]:
    """What is registered of an account, for programs and for the audit trail."""
    said = asdict(account)
    del said["encrypt_to"]
    return {**said, "provider_arn": str(account.provider)}


def check_account(account: Account) -> None:
    """Raise BadAccount for the first field that AWS, or the rules file, could not live with."""
    if not _NUMBER.fullmatch(account.number):
        raise BadAccount(
            f"{account.number!r} is not an AWS account number.",
            "It has 12 digits, without dashes.",
        )
    if not _ALIAS.fullmatch(account.alias) or _NUMBER.fullmatch(account.alias):
        raise BadAccount(
            f"{account.alias!r} can't be an alias.",
            "Use 1 to 63 of a-z, 0-9 and dashes; not 12 digits, and no dash at the ends.",
        )
    if account.partition not in PARTITIONS:
        raise BadAccount(
            f"{account.partition!r} is not an AWS partition.", f"Use {', '.join(PARTITIONS)}."
        )
    try:
        ProviderArn.parse(str(account.provider))
    except BadArn:
        raise BadAccount(
            f"{account.provider_name!r} can't be the name of an IAM SAML provider.",
            "Use 1 to 128 letters, digits, '.', '_' and '-'.",
        ) from None
    if account.provider_id is not None and not _PROVIDER_ID.fullmatch(account.provider_id):
        raise BadAccount(
            f"{account.provider_id!r} is not the unique identifier of a SAML provider.",
            "IAM shows it as SAMLSP followed by capital letters and digits.",
        )
    if account.profile is not None and not _PROFILE.fullmatch(account.profile):
        raise BadAccount(
            f"{account.profile!r} can't be the name of a profile of the AWS command line.",
            "Use 1 to 128 printable ASCII characters.",
        )
    if account.profile is not None and account.access_role is not None:
        raise BadAccount(
            "A profile and an access role are two ways to the same account.", "Give one of them."
        )
    for kind, role in (("access", account.access_role), ("probe", account.probe_role)):
        if role is not None:
            _check_own_role(account, kind, RoleArn.parse(role))


def _check_own_role(account: Account, kind: str, role: RoleArn) -> None:
    if (role.partition, role.account) != (account.partition, account.number):
        raise BadAccount(
            f"The {kind} role {role} does not lie in the account "
            f"{account.number} of the partition {account.partition}.",
            "Name a role of that account.",
        )


class Accounts:
    """The registered accounts, found by number or alias."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        self._all = tuple(sorted(accounts, key=lambda account: account.alias))
        self._by_name = {account.number: account for account in self._all}
        self._by_name.update({name_key(account.alias): account for account in self._all})

    def __iter__(self) -> Iterator[Account]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def find(self, number_or_alias: str) -> Account | None:
        """The account of that number, or of that alias in any case."""
        return self._by_name.get(name_key(number_or_alias))
