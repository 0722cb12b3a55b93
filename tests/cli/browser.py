"""A real browser for pages that are written to files; where there is none, its tests are counted and left out."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ABSENT = "no browser: "
NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"]


def browser_path() -> str:
    """Where Chromium is: SOP_TEST_BROWSER, else on the path; the test is left out, and counted, where there is none."""
    found = os.environ.get("SOP_TEST_BROWSER") or next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"{ABSENT}Chromium was not found (SOP_TEST_BROWSER names it)")
    return found


@contextmanager
def opened(file: Path) -> Iterator[tuple[Any, list[str]]]:
    """The page, and what went wrong on it: errors, and anything it tried to fetch."""
    from playwright.sync_api import sync_playwright

    troubles: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=browser_path(), args=QUIET)
        page = browser.new_page(viewport={"width": 960, "height": 900})
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: troubles.append(request.url) if not request.url.startswith("file:") else None)
        page.goto(file.as_uri())
        yield page, troubles
        browser.close()
