"""The HTML report opened in a real browser, in both languages: it is whole, fetches nothing, and its plots show the numbers."""

import os
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from sop_engine.core.comparison.compare import compare
from sop_engine.core.comparison.exported import as_json
from sop_engine.core.comparison.html import as_html
from sop_engine.core.comparison.values import Report
from tests.cli.browser import opened
from tests.core.stats.simulated_shop import KNOWN, design, sample

DAY = date(2025, 4, 12)


def report() -> Report:
    """A shop with tiers, money and an effect, at its declared end."""
    from dataclasses import replace

    whole = sample(3, 0.06)
    random = np.random.default_rng(1)
    value = np.where(whole.back, random.lognormal(4, 0.6, whole.size()), 0.0)
    tiers = replace(whole, value=value, stratum=random.integers(0, 3, whole.size()), strata=("高价值", "潜力", "沉默"))
    harms = {"unsubscribe": (random.random(whole.size()) < 0.01).astype(float)}
    return compare(replace(tiers, guards=harms), design(DAY), replace(KNOWN, costs={"B": 0.4}))


@pytest.mark.slow
@pytest.mark.parametrize(("lang", "says"), [("en", "Of the users chosen for"), ("zh", "多带回")])
def test_the_page_opens_whole_in_a_browser_and_fetches_nothing(lang: str, says: str, tmp_path: Path) -> None:
    one = report()
    file = tmp_path / f"report-{lang}.html"
    file.write_text(as_html(one, lang), encoding="utf-8")
    with opened(file) as (page, troubles):
        assert page.locator("section.answer").inner_text().count(says) == 1
        assert page.locator("svg[role=img]").count() == 3
        assert all(label for label in page.locator("svg").evaluate_all("all => all.map(s => s.getAttribute('aria-label'))"))
        boxes = page.locator("svg text").evaluate_all("all => all.map(t => t.getBoundingClientRect()).filter(r => r.width == 0).length")
        assert boxes == 0
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        shots = os.environ.get("SOP_TEST_SCREENSHOTS")
        if shots:
            page.screenshot(path=f"{shots}/report-{lang}.png", full_page=True)
    assert troubles == []


def test_the_same_report_gives_the_same_bytes_in_every_form() -> None:
    one, two = report(), report()
    assert as_json(one) == as_json(two)
    assert as_html(one, "zh") == as_html(two, "zh")
    assert "NaN" not in as_json(one)
    assert as_html(one, "en").count("<svg") == 3
    assert "http://" not in as_html(one, "en").replace("http://www.w3.org/2000/svg", "")
