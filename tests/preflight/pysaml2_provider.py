"""An identity provider made of pysaml2's own Server, which signs with the program xmlsec1."""

from __future__ import annotations

import base64
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from saml2 import BINDING_HTTP_REDIRECT
from saml2.config import IdPConfig
from saml2.metadata import entity_descriptor
from saml2.saml import NAME_FORMAT_URI, NAMEID_FORMAT_PERSISTENT, NameID

from tests.sandbox.maker import AWS, PROVIDER, ROLE, keys

with warnings.catch_warnings():  # it names a cipher that cryptography has moved elsewhere
    warnings.simplefilter("ignore")
    from saml2.server import Server

ENTITY_ID = "https://pysaml2.example.com/metadata"
ACS = "https://signin.aws.amazon.com/saml"
AUDIENCE = "urn:amazon:webservices"
AWS_METADATA = Path(__file__).parents[2] / "metadata" / "aws.xml"
PEOPLE = {AWS + "Role": [f"{ROLE},{PROVIDER}"], AWS + "RoleSessionName": ["ann@corp.example"]}


class Pysaml2Provider:
    """Its metadata, and responses for AWS."""

    def __init__(self, folder: Path, xmlsec1: str) -> None:
        pair = keys("pysaml2")
        (folder / "key.pem").write_bytes(pair.private_pem)
        body = pair.certificate_text
        lines = [body[at : at + 64] for at in range(0, len(body), 64)]
        certificate = ["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""]
        (folder / "certificate.pem").write_text("\n".join(certificate))
        self._config = IdPConfig().load(self._settings(folder, xmlsec1))
        self._server = Server(config=self._config)

    def _settings(self, folder: Path, xmlsec1: str) -> dict[str, Any]:
        return {
            "entityid": ENTITY_ID,
            "key_file": str(folder / "key.pem"),
            "cert_file": str(folder / "certificate.pem"),
            "xmlsec_binary": xmlsec1,
            "metadata": {"local": [str(AWS_METADATA)]},
            "delete_tmpfiles": True,
            "service": {
                "idp": {
                    "endpoints": {
                        "single_sign_on_service": [
                            ("https://pysaml2.example.com/sso", BINDING_HTTP_REDIRECT)
                        ]
                    },
                    "name_id_format": [NAMEID_FORMAT_PERSISTENT],
                    "policy": {
                        "default": {
                            "lifetime": {"minutes": 5},
                            "name_form": NAME_FORMAT_URI,
                            "attribute_restrictions": None,
                        }
                    },
                }
            },
        }

    def metadata(self) -> str:
        """What would be uploaded to IAM."""
        return str(entity_descriptor(self._config))

    def response(
        self,
        identity: Mapping[str, list[str]] | None = None,
        *,
        recipient: str = ACS,
        sign_response: bool = False,
        in_response_to: str | None = None,
    ) -> str:
        """The base64 that the browser would post."""
        made = self._server.create_authn_response(
            identity=dict(identity or PEOPLE),
            in_response_to=in_response_to,
            destination=recipient,
            sp_entity_id=AUDIENCE,
            name_id=NameID(format=NAMEID_FORMAT_PERSISTENT, text="a7f0c2"),
            authn={"class_ref": "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"},
            sign_assertion=True,
            sign_response=sign_response,
            sign_alg="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
            digest_alg="http://www.w3.org/2001/04/xmlenc#sha256",
        )
        return base64.b64encode(str(made).encode()).decode()
