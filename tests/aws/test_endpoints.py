"""Where AWS takes assertions, and where it lets people land."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saml2.mdstore import InMemoryMetaData

from idp.aws.destination import BadDestination, check_destination
from idp.aws.endpoints import DEFAULT, PARTITIONS, BadEndpoint, in_order, sign_in_endpoint
from tests import independent

METADATA = Path(__file__).parents[2] / "metadata"
SANDBOX = "http://127.0.0.1:8081"


@pytest.mark.parametrize("name", PARTITIONS)
def test_the_shipped_metadata_is_valid_and_names_the_endpoints_we_use(name: str) -> None:
    document = (METADATA / f"{name}.xml").read_bytes()
    independent.assert_valid_metadata(document)
    store = InMemoryMetaData(None, None)
    store.parse(document)
    partition = PARTITIONS[name]
    services = store[partition.audience]["spsso_descriptor"][0]["assertion_consumer_service"]
    ours = [sign_in_endpoint(name, code).acs for code in (DEFAULT, *partition.regions)]
    assert [service["location"] for service in services] == ours


@pytest.mark.parametrize(
    ("partition", "code", "acs", "audience"),
    [
        ("aws", "default", "https://signin.aws.amazon.com/saml", "urn:amazon:webservices"),
        (
            "aws",
            "eu-west-1",
            "https://eu-west-1.signin.aws.amazon.com/saml",
            "urn:amazon:webservices",
        ),
        (
            "aws-cn",
            "default",
            "https://signin.amazonaws.cn/saml",
            "urn:amazon:webservices:cn-north-1",
        ),
        (
            "aws-us-gov",
            "us-gov-east-1",
            "https://us-gov-east-1.signin.amazonaws-us-gov.com/saml",
            "urn:amazon:webservices:govcloud",
        ),
        (
            "aws",
            "mx-central-1",
            "https://mx-central-1.signin.aws.amazon.com/saml",
            "urn:amazon:webservices",
        ),
    ],
)
def test_endpoints(partition: str, code: str, acs: str, audience: str) -> None:
    found = sign_in_endpoint(partition, code)
    assert (found.acs, found.audience) == (acs, audience)


def test_the_provider_specific_address_has_its_identifier_behind_acs() -> None:
    found = sign_in_endpoint("aws", "eu-west-1", provider_id="SAMLSP4SHN3UIS2D558H46")
    assert found.acs == "https://eu-west-1.signin.aws.amazon.com/saml/acs/SAMLSP4SHN3UIS2D558H46"


@pytest.mark.parametrize(
    ("partition", "code"),
    [
        ("aws", "cn-north-1"),
        ("aws", "us-gov-west-1"),
        ("aws-cn", "eu-west-1"),
        ("aws", "evil.com/"),
        ("aws", ""),
        ("aws", "EU-WEST-1"),
        ("moon", "default"),
        ("aws", "eu-west-1\n"),
    ],
)
def test_refuses_an_endpoint_that_is_none(partition: str, code: str) -> None:
    with pytest.raises(BadEndpoint):
        sign_in_endpoint(partition, code)


@pytest.mark.parametrize("provider_id", ["../saml", "short", "samlsp4shn3uis2d558h46lower"])
def test_refuses_a_provider_identifier_that_is_none(provider_id: str) -> None:
    with pytest.raises(BadEndpoint):
        sign_in_endpoint("aws", provider_id=provider_id)


def test_a_configured_order_serves_every_partition() -> None:
    order = ("eu-west-1", "cn-north-1", "default")
    assert in_order(order, "aws") == ("eu-west-1", "default")
    assert in_order(order, "aws-cn") == ("cn-north-1", "default")
    assert in_order(("eu-west-1",), "aws-us-gov") == ("default",)


@pytest.mark.parametrize(
    "url",
    [
        "https://console.aws.amazon.com/",
        "https://eu-west-1.console.aws.amazon.com/s3/home?region=eu-west-1#x",
        "https://123456789012-abc.us-east-1.console.aws.amazon.com/ec2/home",
        "https://console.amazonaws.cn/s3",
        "https://console.amazonaws-us-gov.com",
    ],
)
def test_takes_pages_of_the_console(url: str) -> None:
    assert check_destination(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "http://console.aws.amazon.com/",
        "https://console.aws.amazon.com.evil.example/",
        "https://evilconsole.aws.amazon.com/",
        "https://console.aws.amazon.com@evil.example/",
        "https://evil.example\\@console.aws.amazon.com/",
        "https://evil.example#.console.aws.amazon.com/",
        "https://user:pw@console.aws.amazon.com/",
        "https://console.aws.amazon.com:8443/",
        "https://console.aws.amazon.com:/",
        "javascript:alert(1)//console.aws.amazon.com",
        "//console.aws.amazon.com/",
        "/s3/home",
        "https:///console.aws.amazon.com/",
        "https://console.aws.amazon.com/\r\nSet-Cookie: x=y",
        "https://console.aws.amazon.com/ x",
        "https://[::1]/",
        "https://[oops",
        "https://..console.aws.amazon.com/",
        "https://console.aws.amazon.com/" + "a" * 2000,
        "https://console。aws.amazon.com/",
        SANDBOX + "/console",
    ],
)
def test_refuses_every_other_address(url: str) -> None:
    with pytest.raises(BadDestination):
        check_destination(url)


def test_a_partition_takes_its_own_console_only() -> None:
    with pytest.raises(BadDestination):
        check_destination("https://console.aws.amazon.com/", partition="aws-cn")
    check_destination("https://console.amazonaws.cn/", partition="aws-cn")


def test_the_sandbox_is_a_destination_when_it_stands_in_for_aws() -> None:
    assert check_destination(f"{SANDBOX}/console", sandbox_url=SANDBOX)
    with pytest.raises(BadDestination):
        check_destination("http://127.0.0.1:80810/console", sandbox_url=SANDBOX)


@given(st.text(max_size=100).map(lambda text: f"https://{text}"))
def test_any_text_is_taken_or_refused_in_words(url: str) -> None:
    try:
        check_destination(url)
    except BadDestination as refusal:
        assert refusal.message  # noqa: PT017
