"""Every page holds up: WCAG 2.2 AA by axe, from 320 pixels up, in light and dark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.conftest import Visit, sign_in
from tests.servers.demonstration import Demonstration

pytestmark = pytest.mark.xdist_group("browser")

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def wrong_password(page: Page, _demonstration: Demonstration) -> None:
    page.get_by_label("User name").fill("ann")
    page.get_by_label("Password").fill("not her password")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").wait_for()


def portal(page: Page, _demonstration: Demonstration) -> None:
    sign_in(page, "ann")


def withheld(page: Page, _demonstration: Demonstration) -> None:
    sign_in(page, "dan")


def no_roles(page: Page, _demonstration: Demonstration) -> None:
    sign_in(page, "cleo")


def signed_out(page: Page, _demonstration: Demonstration) -> None:
    sign_in(page, "cleo")
    page.get_by_role("button", name="Sign out").first.click()
    page.wait_for_load_state("networkidle")


def for_admins(page: Page, demonstration: Demonstration) -> None:
    page.goto(demonstration.url + "/for-admins")


def signing_keys(page: Page, demonstration: Demonstration) -> None:
    sign_in(page, "ann")
    page.goto(demonstration.url + "/for-admins/keys")


def preflight(page: Page, demonstration: Demonstration) -> None:
    sign_in(page, "ann")
    page.goto(demonstration.url + "/preflight")
    page.get_by_role("textbox").first.fill("PHg+")
    page.get_by_role("button", name="Check").first.click()
    page.wait_for_load_state("networkidle")


def console(page: Page, demonstration: Demonstration) -> None:
    sign_in(page, "bob")
    page.wait_for_url(f"http://localhost:{demonstration.sandbox_port}/console/**")


def nothing(_page: Page, _demonstration: Demonstration) -> None:
    pass


PAGES: dict[str, Callable[[Page, Demonstration], None]] = {
    "sign-in": nothing,
    "wrong password": wrong_password,
    "portal": portal,
    "signing keys": signing_keys,
    "withheld roles": withheld,
    "no roles": no_roles,
    "signed out": signed_out,
    "for admins": for_admins,
    "preflight": preflight,
    "sandbox console": console,
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_usable_by_everybody(
    visit: Visit,
    demonstration: Demonstration,
    name: str,
    width: int,
    scheme: Literal["light", "dark"],
) -> None:
    options: dict[str, Any] = {"color_scheme": scheme, "viewport": {"width": width, "height": 800}}
    page = visit(bypass_csp=True, **options)  # axe is a script from outside
    PAGES[name](page, demonstration)
    found = Axe().run(page, options=RULES)
    assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []
    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert overflow <= 0, f"{overflow} pixels stick out at a width of {width}"
