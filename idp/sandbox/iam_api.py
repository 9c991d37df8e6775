"""IAM's actions on SAML providers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from idp.aws.arn import ProviderArn
from idp.sandbox.providers import Change, SamlProviders
from idp.sandbox.query_api import Caller, Fields
from idp.sandbox.refusal import AwsRefusal

_Answer = dict[str, object] | None


class IamSamlApi:
    """CreateSAMLProvider and its kin."""

    def __init__(self, providers: SamlProviders) -> None:
        self._providers = providers
        self.actions: dict[str, Callable[[Fields, Caller, datetime], _Answer]] = {
            "CreateSAMLProvider": self._create,
            "UpdateSAMLProvider": self._update,
            "GetSAMLProvider": self._get,
            "ListSAMLProviders": self._list,
            "DeleteSAMLProvider": self._delete,
            "TagSAMLProvider": self._tag,
            "UntagSAMLProvider": self._untag,
            "ListSAMLProviderTags": self._list_tags,
        }

    def _create(self, fields: Fields, caller: Caller, now: datetime) -> _Answer:
        arn = ProviderArn(caller.partition, caller.account, fields.need("Name"))
        made = self._providers.create(arn, _change(fields), fields.tags(), now)
        return {"SAMLProviderArn": str(made.arn), "Tags": _tag_list(made.tags)}

    def _update(self, fields: Fields, caller: Caller, now: datetime) -> _Answer:
        arn = fields.need("SAMLProviderArn")
        provider = self._providers.update(arn, caller.account, _change(fields), now)
        return {"SAMLProviderArn": str(provider.arn)}

    def _get(self, fields: Fields, caller: Caller, _now: datetime) -> _Answer:
        provider = self._providers.get(fields.need("SAMLProviderArn"), caller.account)
        return {
            "SAMLProviderUUID": provider.uuid,
            "SAMLMetadataDocument": provider.metadata,
            "CreateDate": provider.created,
            "ValidUntil": provider.valid_until,
            "Tags": _tag_list(provider.tags),
            "AssertionEncryptionMode": provider.encryption,
            "PrivateKeyList": [
                {"KeyId": key.key_id, "Timestamp": key.added} for key in provider.private_keys
            ],
        }

    def _list(self, _fields: Fields, caller: Caller, _now: datetime) -> _Answer:
        return {
            "SAMLProviderList": [
                {
                    "Arn": str(provider.arn),
                    "ValidUntil": provider.valid_until,
                    "CreateDate": provider.created,
                }
                for provider in self._providers.of_account(caller.account, caller.partition)
            ]
        }

    def _delete(self, fields: Fields, caller: Caller, _now: datetime) -> _Answer:
        self._providers.delete(fields.need("SAMLProviderArn"), caller.account)
        return None

    def _tag(self, fields: Fields, caller: Caller, _now: datetime) -> _Answer:
        arn = fields.need("SAMLProviderArn")
        held = self._providers.get(arn, caller.account).tags
        self._providers.set_tags(arn, caller.account, {**held, **fields.tags()})
        return None

    def _untag(self, fields: Fields, caller: Caller, _now: datetime) -> _Answer:
        arn, gone = fields.need("SAMLProviderArn"), fields.members("TagKeys")
        held = self._providers.get(arn, caller.account).tags
        kept = {key: value for key, value in held.items() if key not in gone}
        self._providers.set_tags(arn, caller.account, kept)
        return None

    def _list_tags(self, fields: Fields, caller: Caller, _now: datetime) -> _Answer:
        held = self._providers.get(fields.need("SAMLProviderArn"), caller.account).tags
        return {"Tags": _tag_list(held), "IsTruncated": "false"}


def _change(fields: Fields) -> Change:
    metadata = fields.get("SAMLMetadataDocument")
    if metadata is not None and not metadata.strip():
        raise AwsRefusal("InvalidInput", "Could not parse metadata")
    return Change(
        metadata=metadata,
        encryption=fields.get("AssertionEncryptionMode"),
        add_private_key=fields.get("AddPrivateKey"),
        remove_private_key=fields.get("RemovePrivateKey"),
    )


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
