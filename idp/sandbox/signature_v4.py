"""Signature Version 4 of requests made with credentials that the sandbox issued."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

_HEADER = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<key>[^/,\s]+)/(?P<date>\d{8})/(?P<region>[^/,\s]+)/"
    r"(?P<service>[^/,\s]+)/aws4_request,\s*SignedHeaders=(?P<headers>[^,\s]+),\s*"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)
_QUERY = re.compile(r"(?P<key>[^/]+)/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")


@dataclass(frozen=True, slots=True)
class Signed:
    """Who says to have signed, and for which Region and service.

    `headers` and `signature` are empty for a presigned URL, whose signature isn't checked.
    """

    access_key: str
    region: str
    service: str
    headers: tuple[str, ...] = ()
    signature: str = ""


def read_authorization(header: str, query: Mapping[str, str]) -> Signed | None:
    """The signer named in the Authorization header or a presigned URL; None if there is none."""
    match = _HEADER.fullmatch(header.strip())
    if match:
        return Signed(
            match["key"],
            match["region"],
            match["service"],
            tuple(match["headers"].split(";")),
            match["signature"],
        )
    presigned = _QUERY.fullmatch(query.get("X-Amz-Credential", ""))
    if presigned:
        return Signed(presigned["key"], presigned["region"], presigned["service"])
    return None


def signature_fits(
    signed: Signed,
    secret: str,
    *,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
) -> bool:
    """Whether the signature was made with `secret` over this request.

    `headers` are all headers of the request, names in lower case; `url` is as it was sent.
    """
    stated = headers.get("x-amz-content-sha256", "")
    if re.fullmatch(r"[0-9a-f]{64}", stated) and stated != hashlib.sha256(body).hexdigest():
        return False
    if stated and "x-amz-content-sha256" not in signed.headers:
        return False
    request = AWSRequest(
        method=method,
        url=url,
        data=body,
        headers={name: headers.get(name, "") for name in signed.headers},
    )
    request.context["timestamp"] = headers.get("x-amz-date", "")
    kind = S3SigV4Auth if signed.service == "s3" else SigV4Auth
    signer = kind(Credentials(signed.access_key, secret), signed.service, signed.region)
    canonical = signer.canonical_request(request)
    made = signer.signature(signer.string_to_sign(request, canonical), request)
    return hmac.compare_digest(made, signed.signature)
