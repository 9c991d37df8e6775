"""A web page that somebody visits can't use the AWS API; SDKs and posted forms still can."""

from __future__ import annotations

from http.client import HTTPConnection
from urllib.parse import urlencode, urlsplit

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from idp.sandbox.page_requests import own_origins
from tests.sandbox.account import Account, Page

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def send(
    account: Account, method: str, path: str, body: str = "", headers: dict[str, str] | None = None
) -> Page:
    place = urlsplit(account.sandbox.address)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=30)
    try:
        connection.request(method, path, body.encode(), headers or {})
        answer = connection.getresponse()
        return Page(answer.status, answer.read().decode(), dict(answer.getheaders()))
    finally:
        connection.close()


def presigned_query(account: Account, service: str = "iam") -> str:
    scope = f"{account.number}/20260301/us-east-1/{service}/aws4_request"
    return urlencode({"X-Amz-Credential": scope})


def signed_headers(account: Account, method: str, path: str, service: str) -> dict[str, str]:
    request = AWSRequest(method, account.sandbox.address + path)
    SigV4Auth(Credentials(account.number, "any"), service, "us-east-1").add_auth(request)
    return {name: str(value) for name, value in request.headers.items()}


def delete_provider(account: Account, headers: dict[str, str]) -> Page:
    """As a form does that names an administrator in its address."""
    fields = {"Action": "DeleteSAMLProvider", "SAMLProviderArn": account.provider}
    path = f"/?{presigned_query(account)}"
    return send(account, "POST", path, urlencode(fields), {**FORM, **headers})


def providers(account: Account) -> list[str]:
    return [each["Arn"] for each in account.iam.list_saml_providers()["SAMLProviderList"]]


def elsewhere(account: Account) -> list[dict[str, str]]:
    port = urlsplit(account.sandbox.address).port or 0
    return [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://localhost"},
        {"Origin": f"http://localhost:{port % 65535 + 1}"},
        {"Origin": f"https://localhost:{port}"},
        {"Origin": f"http://localhost:{port}.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": account.sandbox.address, "Sec-Fetch-Site": "cross-site"},
    ]


def test_a_page_of_another_origin_can_not_administer(account: Account) -> None:
    for headers in elsewhere(account):
        page = delete_provider(account, headers)
        assert page.status == 403, headers
        assert "doesn't answer other web pages" in page.body
        assert not [name for name in page.headers if name.lower().startswith("access-control-")]
    assert providers(account) == [account.provider]


def test_nor_can_it_read_call_without_credentials_or_ask_beforehand(account: Account) -> None:
    page = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assume = urlencode({"Action": "AssumeRoleWithSAML", "SAMLAssertion": "x"})
    assert send(account, "POST", "/", assume, {**FORM, **page}).status == 403
    listing = f"/?{presigned_query(account, 's3')}"
    assert send(account, "GET", listing, headers=page).status == 403
    assert send(account, "GET", listing, headers={"Sec-Fetch-Site": "cross-site"}).status == 403
    signed = signed_headers(account, "GET", "/", "s3")
    assert send(account, "GET", "/", headers={**signed, **page}).status == 403
    asked = {**page, "Access-Control-Request-Method": "PUT"}
    for path in ("/", "/bucket/key", listing):
        answer = send(account, "OPTIONS", path, headers=asked)
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_its_own_origins_the_address_bar_and_sdks_are_answered(account: Account) -> None:
    own = own_origins(account.sandbox.address)
    port = urlsplit(account.sandbox.address).port
    assert own == {f"http://{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}
    listing = f"/?{presigned_query(account, 's3')}"
    for headers in (
        *({"Origin": origin} for origin in own),
        {"Origin": account.sandbox.address, "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {},
    ):
        page = send(account, "GET", listing, headers=headers)
        assert page.status == 200, headers
        assert "ListAllMyBucketsResult" in page.body
    assert delete_provider(account, {}).status == 200
    assert providers(account) == []


def test_the_default_port_is_not_part_of_an_origin() -> None:
    assert "http://localhost" in own_origins("http://127.0.0.1:80")
    assert "http://localhost" in own_origins("http://127.0.0.1")


def test_no_answer_opens_itself_to_other_origins(account: Account) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=account.sandbox.address,
        region_name="us-east-1",
        aws_access_key_id=account.number,
        aws_secret_access_key="any",
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    bucket = f"open-{account.number}"
    s3.create_bucket(Bucket=bucket)
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "AllowedHeaders": ["*"]}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    s3.put_object(Bucket=bucket, Key="a.txt", Body=b"hello")
    link = urlsplit(
        s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a.txt"})
    )
    for headers in ({"Origin": account.sandbox.address}, {}):
        for method in ("GET", "OPTIONS"):
            page = send(account, method, f"{link.path}?{link.query}", headers=headers)
            assert page.status == 200
            found = [name for name in page.headers if name.lower().startswith("access-control-")]
            assert found == []
    assert send(account, "GET", f"{link.path}?{link.query}").body == "hello"


@pytest.mark.parametrize("path", ["/moto-api/data.json", "/moto-api/", "/%6doto-api/reset"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_moto_s_own_interface_is_not_there(account: Account, method: str, path: str) -> None:
    query = f"{path}?{presigned_query(account)}"
    assert send(account, method, query).status == 404
    signed = signed_headers(account, method, path, "iam")
    page = send(account, method, path, headers=signed)
    assert page.status == 404
    assert page.body == "There is nothing at this address.\n"
    assert account.iam.get_role(RoleName="Developer")


def test_a_form_that_another_site_posts_signs_in(account: Account) -> None:
    fields = urlencode({"SAMLResponse": account.recipe().text()})
    from_idp = {"Origin": "https://idp.example.com", "Sec-Fetch-Site": "cross-site"}
    page = send(account, "POST", "/saml", fields, {**FORM, **from_idp})
    assert page.status == 303
    assert "/console/" in page.headers["Location"]
