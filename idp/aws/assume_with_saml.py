"""AssumeRoleWithSAML, called the way people's tools call it: with an assertion, and unsigned."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, cast

from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import Session

from idp.aws.account_refusal import AccountRefusal, code_of, refusal_of, shortened
from idp.aws.arn import ProviderArn, RoleArn
from idp.aws.endpoints import PARTITIONS
from idp.aws.iam import SHORTEST_SESSION, Patience, Reach, api_models, client_config

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

# IAM tells the rest of AWS of a new certificate after a while (IAM User Guide, "eventual
# consistency"); until then STS does not know who has signed.
_PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)
_NOT_YET = ("InvalidIdentityToken",)


def assume_with_saml(
    role: RoleArn,
    provider: ProviderArn,
    assertion: str,
    reach: Reach,
    seconds: int = SHORTEST_SESSION,
    *,
    pauses: Sequence[float] = _PAUSES,
    not_yet: Collection[str] = _NOT_YET,
) -> str:
    """Open a session of `role` for an assertion (base64) and give its ARN.

    The credentials that come with it are dropped. `seconds` is the session's length, 900 at
    least. Refusals with a code of `not_yet` are tried again after each of `pauses` (seconds).
    Raises AccountRefusal.
    """
    patience = Patience(reach)
    try:
        with closing(_client(provider.partition, reach, patience)) as sts:
            left = iter(pauses)
            while True:
                try:
                    answer = sts.assume_role_with_saml(
                        RoleArn=str(role),
                        PrincipalArn=str(provider),
                        SAMLAssertion=assertion,
                        DurationSeconds=max(seconds, SHORTEST_SESSION),
                    )
                    return answer["AssumedRoleUser"]["Arn"]
                except ClientError as problem:
                    pause = next(left, None)
                    if code_of(problem) not in not_yet or pause is None:
                        raise
                    patience.pause(pause)
    except ClientError as problem:
        if code_of(problem) in _NOT_YET or code_of(problem) in ("AccessDenied", "IDPRejectedClaim"):
            raise _refused(role, problem) from problem
        raise refusal_of(problem, provider, f"the probe role {role}") from problem
    except Exception as problem:
        raise refusal_of(problem, provider, f"the probe role {role}") from problem


def _client(partition: str, reach: Reach, patience: Patience) -> STSClient:
    session = Session()
    session.register_component("data_loader", api_models())
    config = client_config(reach).merge(Config(signature_version=UNSIGNED))
    client = session.create_client(
        "sts",
        region_name=PARTITIONS[partition].default_region,
        endpoint_url=reach.endpoint_url or None,
        config=config,
    )
    patience.watch(client)
    return cast("STSClient", client)


def _refused(role: RoleArn, problem: ClientError) -> AccountRefusal:
    said = shortened(str(problem.response.get("Error", {}).get("Message", "")))
    return AccountRefusal(
        "not_proved",
        f"AWS does not let us into the probe role {role} ({code_of(problem)}: {said}).",
        "Look at the role's trust policy (the provider, and SAML:aud), or name another probe role, "
        "or none: it is an option of what you ran, or of idp aws account add … --update.",
    )
