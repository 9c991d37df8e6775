"""Each demo person's story, in Chromium."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit, sign_in
from tests.servers.demonstration import Demonstration

pytestmark = pytest.mark.xdist_group("browser")

S3 = "https://eu-west-1.console.aws.amazon.com/s3/home"


def landed(page: Page, demonstration: Demonstration, arn: str) -> None:
    """The window shows the sandbox's console, for that assumed role."""
    page.wait_for_url(f"http://localhost:{demonstration.sandbox_port}/console/**")
    expect(page.locator("body")).to_contain_text(arn)


def test_ann_picks_a_role_in_the_portal(visit: Visit, demonstration: Demonstration) -> None:
    page = visit()
    sign_in(page, "ann")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your roles")
    for alias in ("dev", "staging", "prod", "china", "govcloud"):
        expect(page.get_by_role("heading", name=re.compile(f"^{alias} "))).to_be_visible()
    page.get_by_role("button", name="Auditor in dev", exact=True).first.click()
    landed(page, demonstration, "arn:aws:sts::111122223333:assumed-role/Auditor/ann")


@pytest.mark.parametrize(
    ("alias", "arn"),
    [
        ("govcloud", "arn:aws-us-gov:sts::555566667777:assumed-role/Administrator/ann"),
        ("china", "arn:aws-cn:sts::444455556666:assumed-role/Administrator/ann"),
        ("prod", "arn:aws:sts::333344445555:assumed-role/Administrator/ann"),
    ],
)
def test_ann_lands_in_every_partition(
    visit: Visit, demonstration: Demonstration, alias: str, arn: str
) -> None:
    page = visit()
    sign_in(page, "ann")
    page.get_by_role("button", name=f"Administrator in {alias}", exact=True).first.click()
    landed(page, demonstration, arn)
    expect(page.locator("body")).to_contain_text("Platform")


def test_ann_finds_a_role_by_keyboard_alone(visit: Visit, demonstration: Demonstration) -> None:
    page = visit()
    expect(page.get_by_label("User name")).to_be_focused()
    page.keyboard.type("ann")
    page.keyboard.press("Tab")
    page.keyboard.type("demo-password-ann")
    page.keyboard.press("Enter")
    expect(page.get_by_role("searchbox")).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.keyboard.press("/")
    page.keyboard.type("billing staging")
    expect(page.get_by_role("button", name="Administrator in dev", exact=True).first).to_be_hidden()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    landed(page, demonstration, "arn:aws:sts::222233334444:assumed-role/Billing/ann")


def test_ann_pins_a_role_and_it_stays_pinned(visit: Visit) -> None:
    page = visit()
    sign_in(page, "ann")
    page.get_by_role("button", name="Pin ReadOnly in prod").first.click()
    page.wait_for_load_state("networkidle")
    expect(page.get_by_role("heading", name="Pinned")).to_be_visible()
    again = visit()
    sign_in(again, "ann")
    again.get_by_role("button", name="Unpin ReadOnly in prod").first.click()
    again.wait_for_load_state("networkidle")
    expect(again.get_by_role("heading", name="Pinned")).to_have_count(0)


def test_bob_goes_straight_through(visit: Visit, demonstration: Demonstration) -> None:
    page = visit()
    sign_in(page, "bob")
    landed(page, demonstration, "arn:aws:sts::111122223333:assumed-role/Developer/bob")


def test_cleo_is_told_whom_to_ask(visit: Visit) -> None:
    page = visit()
    sign_in(page, "cleo")
    main = page.get_by_role("main")
    expect(main).to_contain_text("cleo")
    expect(main).to_contain_text("platform@corp.example")


def test_dan_is_told_which_value_aws_would_refuse(visit: Visit) -> None:
    page = visit()
    sign_in(page, "dan")
    expect(page.get_by_role("main")).to_contain_text("attribute department")
    expect(page.get_by_role("button", name="ReadOnly in dev").first).to_be_visible()


def test_a_wrong_password_says_so_and_keeps_the_name(visit: Visit) -> None:
    page = visit()
    page.get_by_label("User name").fill("ann")
    page.get_by_label("Password").fill("not her password")
    with page.expect_response(re.compile("/sign-in$")) as answer:
        page.get_by_role("button", name="Sign in").click()
    assert answer.value.status == 401
    expect(page.get_by_role("alert")).to_contain_text("not right")
    expect(page.get_by_label("User name")).to_have_value("ann")
    expect(page.get_by_label("Password")).to_have_value("")


def test_a_link_leads_through_sign_in_to_role_and_page(
    visit: Visit, demonstration: Demonstration
) -> None:
    page = visit(f"/aws?account=dev&role=ReadOnly&destination={S3}")
    sign_in(page, "ann")
    landed(page, demonstration, "arn:aws:sts::111122223333:assumed-role/ReadOnly/ann")
    expect(page.locator("body")).to_contain_text(S3)


def test_without_scripts_every_step_has_a_button(
    visit: Visit, demonstration: Demonstration
) -> None:
    page = visit(java_script_enabled=False)
    sign_in(page, "ann")
    page.get_by_role("searchbox").fill("auditor")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("button", name="Auditor in dev", exact=True).first.click()
    page.get_by_role("button", name="Continue to AWS").click()
    landed(page, demonstration, "arn:aws:sts::111122223333:assumed-role/Auditor/ann")


def test_signing_out_closes_the_portal_to_the_back_button(visit: Visit) -> None:
    page = visit()
    sign_in(page, "ann")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("signed out")
    page.go_back()
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
