"""The HTML report opened in a real browser, in both languages: it is whole, fetches nothing, and its plots show the numbers."""

import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from sop_engine.cli.compared import in_text
from sop_engine.core.comparison.compare import compare
from sop_engine.core.comparison.exported import as_csv, as_json
from sop_engine.core.comparison.html import as_html
from sop_engine.core.comparison.values import Report
from tests.cli.browser import opened
from tests.core.stats.simulated_shop import KNOWN, design, sample

DAY = date(2025, 4, 12)


def report() -> Report:
    """A shop with tiers, money and an effect, at its declared end."""
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


def crowded() -> Report:
    """Four variants with long names, all of them and the hold-out ending at nearly the same share."""
    random = np.random.default_rng(4)
    names = ("holdout", "怀旧内容加一张九折优惠券再加短信提醒", "直接发券", "A variant with quite a long name in English", "B")
    whole = sample(3, 0.0)
    arm = random.integers(0, len(names), whole.size())
    plan = replace(design(DAY), shares=dict.fromkeys(names, 0.2))
    return compare(replace(whole, arms=names, arm=arm), plan, KNOWN)


OVERLAPPING = """all => {
  const bad = [];
  for (const svg of all) {
    const frame = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()]);
    texts.forEach(([one, a], i) => {
      if (a.left < frame.left - 1 || a.right > frame.right + 1 || a.bottom > frame.bottom + 1) bad.push(`outside: ${one}`);
      for (const [two, b] of texts.slice(i + 1))
        if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3) bad.push(`${one} covers ${two}`);
    });
  }
  return bad;
}"""


@pytest.mark.slow
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_no_word_of_a_plot_covers_another_or_is_cut_off_with_many_arms_and_long_names(lang: str, tmp_path: Path) -> None:
    file = tmp_path / f"crowded-{lang}.html"
    file.write_text(as_html(crowded(), lang), encoding="utf-8")
    with opened(file) as (page, troubles):
        assert page.locator("svg[role=img]").count() >= 3
        assert page.locator("svg").evaluate_all(OVERLAPPING) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        shots = os.environ.get("SOP_TEST_SCREENSHOTS")
        if shots:
            page.screenshot(path=f"{shots}/crowded-{lang}.png", full_page=True)
    assert troubles == []


def test_in_chinese_the_hold_out_has_its_chinese_name_and_in_the_csv_its_own() -> None:
    one = report()
    page, told = as_html(one, "zh"), in_text(one, "zh")
    for text in (page, told):
        assert "不发消息的对照组" in text
        assert "holdout" not in text
    assert "holdout" in as_html(one, "en") and "不发消息的对照组" not in as_html(one, "en")
    assert "arm:control,holdout," in as_csv(one) and "不发消息的对照组" not in as_csv(one).split("arm:control")[1]


def test_the_same_report_gives_the_same_bytes_in_every_form() -> None:
    one, two = report(), report()
    assert as_json(one) == as_json(two)
    assert as_html(one, "zh") == as_html(two, "zh")
    assert "NaN" not in as_json(one)
    assert as_html(one, "en").count("<svg") == 3
    assert "http://" not in as_html(one, "en").replace("http://www.w3.org/2000/svg", "")
