"""Events as sentences, for people who read the trail on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# By type; the names in braces are the actor and what stands in the detail of the event.
SENTENCES: Mapping[str, str] = {
    "sign_in.succeeded": "{actor} signed in",
    "sign_in.refused": "{actor} was refused at sign-in: {reason}",
    "session.ended": "a session of {actor} ended: {reason}",
    "assertion.issued": "{actor} got an assertion for {roles} as {session_name}, {duration} s",
    "assertion.refused": "{actor} was refused {role}: {reason}",
    "roles.applied": "{actor} applied role rules: {changes}",
    "account.added": "{actor} added AWS account {subject}: {changes}",
    "account.changed": "{actor} changed AWS account {subject}: {changes}",
    "account.removed": "{actor} removed AWS account {subject}",
    "aws.registered": "{actor} registered us in AWS account {subject}: {changes}",
    "preflight.dry_run": "{actor} tried a sign-in of {subject}: {changes}",
    "database.backed_up": "{actor} backed the database up to {subject}",
    "database.restored": "{actor} restored the database from {subject}: {changes}",
    "user.added": "{actor} added user {subject}: {changes}",
    "user.groups_set": "{actor} set the groups of user {subject}: {changes}",
    "user.disabled": "{actor} disabled user {subject}",
    "user.enabled": "{actor} enabled user {subject}",
    "user.password_set": "{actor} set the password of user {subject}",
    "user.imported": "{actor} imported users from {subject}: {changes}",
    "name.released": "{actor} released the name {subject}: {changes}",
    "key.generated": "{actor} made signing key {subject}: {changes}",
    "key.imported": "{actor} took in signing key {subject}: {changes}",
    "key.activated": "{actor} let key {subject} sign from now on: {changes}",
    "key.retired": "{actor} retired signing key {subject}: {changes}",
    "key.revoked": "{actor} revoked signing key {subject}: {changes}",
    "key.exported": "{actor} took out the private half of signing key {subject}: {changes}",
    "key.encrypted": "{actor} encrypted the file of signing key {subject}: {changes}",
    "encryption.key_added": "{actor} gave IAM a key for assertions of account {subject}: {changes}",
    "encryption.key_removed": "{actor} took a key from IAM in account {subject}: {changes}",
    "encryption.enabled": "{actor} had assertions for account {subject} encrypted: {changes}",
    "encryption.required": "{actor} let IAM refuse plain assertions in {subject}: {changes}",
    "encryption.rotated": "{actor} changed the encryption key of account {subject}: {changes}",
    "encryption.disabled": "{actor} ended encryption for account {subject}: {changes}",
    "encryption.rolled_back": "{actor} undid a change of encryption in {subject}: {changes}",
    "trust_policy.changed": "{actor} changed the trust policies of account {subject}: {changes}",
    "sessions.ended": "{actor} ended the sessions of {subject}: {changes}",
    "rotation.started": "{actor} began rotation {subject}: {changes}",
    "rotation.account_excluded": "{actor} LEFT ACCOUNT {subject} OUT of a rotation: {changes}",
    "rotation.account_holds": "{actor} read the certificates of account {subject}: {changes}",
    "rotation.account_proved": "{actor} proved the next key in account {subject}: {changes}",
    "rotation.account_failed": "{actor} failed to rotate in account {subject}: {changes}",
    "rotation.account_withdrawn": "{actor} withdrew a certificate from {subject}: {changes}",
    "rotation.turned": "{actor} brought rotation {subject} further: {changes}",
    "rotation.ended": "{actor} ended rotation {subject}: {changes}",
    "audit.checkpointed": "{actor} signed a checkpoint of the audit trail up to row {row}",
    "audit.pruned": "{actor} removed audit rows up to row {row}, older than {before}",
}
_ANY_OTHER = "{actor}: {type} {detail}"


def sentence(kind: str, actor: str, detail: Mapping[str, Any]) -> str:
    """What happened, in words. Text that came from outside is not escaped here."""
    template = SENTENCES.get(kind)
    if template is None:
        return _ANY_OTHER.format(actor=actor, type=kind, detail=_words(detail))
    return template.format_map(_Words({**detail, "actor": actor}))


class _Words(dict[str, Any]):
    """Values in words; what an event does not say is a question mark."""

    def __getitem__(self, name: str) -> str:
        return _words(self.get(name, "?"))


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_words(each)}" for name, each in value.items()) or "nothing"
    if isinstance(value, list | tuple):
        return " ".join(_words(each) for each in value) or "none"
    return str(value)
