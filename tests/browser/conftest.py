"""A real browser, and the demonstration for it to visit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.conftest import require_program
from tests.servers.demonstration import Demonstration

Visit = Callable[..., Page]


@pytest.fixture(scope="session")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    with Demonstration(tmp_path_factory.mktemp("demonstration")) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = require_program("Chromium", "chromium", "chromium-browser", "google-chrome")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--disable-quic", "--disable-background-networking"],
        )
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: Browser, demonstration: Demonstration) -> Iterator[Visit]:
    """A function that opens a fresh browser window on the sign-in page."""
    opened = []
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error" and "status of 401" not in message.text:
            complaints.append(message.text)

    def open_window(path: str = "/", **options: Any) -> Page:
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
        opened.append(context)
        page = context.new_page()
        page.on("console", listen)
        page.goto(demonstration.url + path)
        return page

    yield open_window
    for context in opened:
        context.close()
    assert complaints == []


def sign_in(page: Page, username: str) -> None:
    """Fill in the form and send it."""
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(f"demo-password-{username}")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_load_state("networkidle")
