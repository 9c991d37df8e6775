"""Assertions that prove a key: signed with the next key, for a machine, for a probe role only."""

from __future__ import annotations

from idp.aws.arn import RoleArn
from idp.entitlements.account import Account
from idp.keys.custody import open_signer
from idp.keys.ring import ReadyKey
from idp.keys.signing_key import SigningKey
from idp.rotation.surroundings import Surroundings
from idp.sso.probe import Probe, probe_response

ACTOR = "machine/rotation-probe"


class ProbeAssertions:
    """Makes one assertion for an account's probe role, at each call.

    Each is in the audit trail before it leaves, like the assertions for people, so that the trail
    has every assertion that a key ever signed. Called from several threads.
    """

    def __init__(self, around: Surroundings, rotation_id: str, key: SigningKey) -> None:
        self._around = around
        self._purpose = f"rotation {rotation_id}"
        self._ready = ReadyKey(key, open_signer(key, around.settings))

    def __call__(self, account: Account) -> str:
        """The Response in base64, as AssumeRoleWithSAML takes it. Raises BadArn, RefusedByAws.

        It is encrypted if the account's assertions are.
        """
        around = self._around
        probe = Probe(
            RoleArn.parse(account.probe_role or ""),
            account.provider,
            account.provider_id,
            account.encrypt_to,
            self._purpose,
        )
        return probe_response(
            probe, self._ready, around.settings, around.audit, around.origin, ACTOR, around.now()
        )
