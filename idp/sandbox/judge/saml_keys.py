"""Attributes that AWS turns into saml:* condition keys (IAM guide: condition keys)."""

from __future__ import annotations

from collections.abc import Mapping

_EDUPERSON = {
    1: "edupersonaffiliation",
    2: "edupersonnickname",
    3: "edupersonorgdn",
    4: "edupersonorgunitdn",
    5: "edupersonprimaryaffiliation",
    6: "edupersonprincipalname",
    7: "edupersonentitlement",
    8: "edupersonprimaryorgunitdn",
    9: "edupersonscopedaffiliation",
    10: "edupersontargetedid",
    11: "edupersonassurance",
}
_EDUORG = {
    2: "eduorghomepageuri",
    3: "eduorgidentityauthnpolicyuri",
    4: "eduorglegalname",
    5: "eduorgsuperioruri",
    6: "eduorgwhitepagesuri",
}
_CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"

KEYS: Mapping[str, str] = {
    **{f"urn:oid:1.3.6.1.4.1.5923.1.1.1.{n}": f"saml:{name}" for n, name in _EDUPERSON.items()},
    **{f"urn:oid:1.3.6.1.4.1.5923.1.2.1.{n}": f"saml:{name}" for n, name in _EDUORG.items()},
    "urn:oid:2.5.4.3": "saml:cn",
    f"{_CLAIMS}name": "saml:name",
    f"{_CLAIMS}givenname": "saml:givenName",
    f"{_CLAIMS}surname": "saml:surname",
    f"{_CLAIMS}emailaddress": "saml:mail",
    "http://schemas.xmlsoap.org/claims/CommonName": "saml:commonName",
    "http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid": "saml:uid",
    "2.5.4.3": "saml:commonName",
    "2.5.4.4": "saml:surname",
    # AWS's table writes 2.4.5.42 where X.520 has 2.5.4.42.
    "2.4.5.42": "saml:givenName",
    "2.5.4.45": "saml:x500UniqueIdentifier",
    "0.9.2342.19200300100.1.1": "saml:uid",
    "0.9.2342.19200300100.1.3": "saml:mail",
    "0.9.2342.19200300.100.1.45": "saml:organizationStatus",
}

SINGLE = frozenset(
    {
        "saml:edupersonorgdn",
        "saml:edupersonprimaryaffiliation",
        "saml:edupersonprincipalname",
        "saml:edupersonprimaryorgunitdn",
        "saml:name",
        "saml:givenName",
        "saml:surname",
        "saml:mail",
        "saml:commonName",
        "saml:uid",
        "saml:x500UniqueIdentifier",
        "saml:organizationStatus",
    }
)


def mapped(attributes: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Values by condition key. Where two attributes claim one key, the first is taken."""
    values: dict[str, tuple[str, ...]] = {}
    for name, given in attributes.items():
        key = KEYS.get(name)
        if key and given and key not in values:
            values[key] = given[:1] if key in SINGLE else given
    return values
