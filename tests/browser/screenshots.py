"""Takes the pictures of docs/images from a running demonstration: make screenshots."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import sign_in
from tests.servers.demonstration import ROOT, Demonstration

IMAGES = ROOT / "docs" / "images"
Scheme = Literal["light", "dark"]


def main() -> None:
    """Every page that a demo person meets, wide and narrow, light and dark."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        Demonstration(Path(folder)) as running,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=sys.argv[1], args=["--no-sandbox"])
        for scheme, width in (("light", 1280), ("dark", 390)):
            take_all(browser, running, scheme, width)  # type: ignore[arg-type]
        browser.close()


def take_all(browser: Browser, running: Demonstration, scheme: Scheme, width: int) -> None:
    """All stories in one look."""

    def visit(path: str = "/") -> Page:
        context = browser.new_context(
            color_scheme=scheme, viewport={"width": width, "height": 800}, reduced_motion="reduce"
        )
        page = context.new_page()
        page.goto(running.url + path)
        return page

    def keep(page: Page, name: str, *, whole: bool = True) -> None:
        page.wait_for_load_state("networkidle")
        page.screenshot(path=IMAGES / f"{name}-{scheme}.png", full_page=whole)
        page.context.close()

    keep(visit("/sign-in"), "sign-in")
    keep(visit("/for-admins"), "for-admins", whole=False)
    page = visit()
    sign_in(page, "ann")
    if scheme == "light":
        page.get_by_role("button", name="Pin ReadOnly in prod").first.click()
        page.wait_for_load_state("networkidle")
    keep(page, "portal")
    page = visit()
    sign_in(page, "ann")
    page.route(f"{running.url}/static/post.js*", lambda route: route.abort())  # it stays to be seen
    page.get_by_role("button", name="Auditor in dev", exact=True).first.click()
    page.wait_for_selector("#assertion")
    keep(page, "assertion")
    for username, name in (("bob", "console"), ("cleo", "no-roles"), ("dan", "withheld")):
        page = visit()
        sign_in(page, username)
        keep(page, name)


if __name__ == "__main__":
    main()
