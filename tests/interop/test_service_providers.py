"""SAML service providers written by others accept our responses, in their strictest mode."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from lxml import etree
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings
from saml2 import BINDING_HTTP_POST
from saml2.client import Saml2Client
from saml2.config import SPConfig

from tests.company import Company, make_company, posted_form, response_xml
from tests.conftest import require_program
from tests.independent import DS, SAML

ROLE = "arn:aws:iam::111122223333:role/Administrator"
ACS = "https://signin.aws.amazon.com/saml"
AUDIENCE = "urn:amazon:webservices"
METADATA = Path(__file__).parents[2] / "metadata" / "aws.xml"


@pytest.fixture(params=[False, True], ids=["assertion signed", "both signed"])
def company(request: pytest.FixtureRequest, tmp_path: Path, sqlite_url: str) -> Any:
    made = make_company(
        tmp_path, sqlite_url, datetime.now(UTC), aws={"sign_response": request.param}
    )
    yield made
    made.parts.database.close()


def onelogin(company: Company, response: str) -> OneLogin_Saml2_Response:
    metadata = etree.fromstring(company.visitor().get("/metadata").data)
    settings = OneLogin_Saml2_Settings(
        {
            "strict": True,
            "sp": {
                "entityId": AUDIENCE,
                "assertionConsumerService": {"url": ACS},
                "NameIDFormat": "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
            },
            "idp": {
                "entityId": company.settings.entity_id,
                "singleSignOnService": {"url": f"{company.settings.server.base_url}/sso"},
                "x509cert": metadata.findtext(f".//{DS}X509Certificate"),
            },
            "security": {
                "wantAssertionsSigned": True,
                "wantMessagesSigned": company.settings.aws.sign_response,
                "wantNameId": True,
                "rejectUnsolicitedResponsesWithInResponseTo": True,
                "rejectDeprecatedAlgorithm": True,
                "wantXMLValidation": True,
            },
        }
    )
    return OneLogin_Saml2_Response(settings, response)


def request_data() -> dict[str, Any]:
    address = urlsplit(ACS)
    return {"https": "on", "http_host": address.netloc, "script_name": address.path}


def test_python3_saml_in_strict_mode(company: Company) -> None:
    page = company.signed_in("ann").open_role(ROLE)
    judged = onelogin(company, posted_form(page)["SAMLResponse"])
    assert judged.is_valid(request_data()), judged.get_error()
    assert judged.get_attributes()["https://aws.amazon.com/SAML/Attributes/RoleSessionName"] == [
        "ann"
    ]
    assert judged.get_nameid() == etree.fromstring(response_xml(company, page)).findtext(
        f".//{SAML}NameID"
    )


def test_python3_saml_refuses_it_once_it_is_changed(company: Company) -> None:
    xml = response_xml(company, company.signed_in("ann").open_role(ROLE))
    forged = base64.b64encode(xml.replace(b">ann<", b">bob<")).decode()
    assert not onelogin(company, forged).is_valid(request_data())


def test_pysaml2_as_a_service_provider(company: Company, tmp_path: Path) -> None:
    program = require_program("xmlsec1", "xmlsec1")
    metadata = tmp_path / "idp.xml"
    metadata.write_bytes(company.visitor().get("/metadata").data)
    config = SPConfig().load(
        {
            "entityid": AUDIENCE,
            "xmlsec_binary": program,
            "service": {
                "sp": {
                    "endpoints": {"assertion_consumer_service": [(ACS, BINDING_HTTP_POST)]},
                    "allow_unsolicited": True,
                    "want_assertions_signed": True,
                    "want_response_signed": company.settings.aws.sign_response,
                }
            },
            "metadata": {"local": [str(metadata)]},
            "allow_unknown_attributes": True,
        }
    )
    page = company.signed_in("ann").open_role(ROLE)
    form = posted_form(page)["SAMLResponse"]
    answer = Saml2Client(config).parse_authn_request_response(form, BINDING_HTTP_POST)
    assert answer.issuer() == company.settings.entity_id
    sent = answer.get_identity()
    assert sent["https://aws.amazon.com/SAML/Attributes/RoleSessionName"] == ["ann"]
    assert answer.in_response_to is None
