"""Every report and alert of the shipped library is made and asked, on both databases, in a shop where nothing has happened yet."""

import json
from datetime import date

import pytest
from sqlalchemy import Engine

from sop_engine.actions.alerting import look
from sop_engine.actions.reporting import lang_of, make, period_on
from sop_engine.actions.watched import NUMBERS
from sop_engine.core.reports.periods import block_before
from sop_engine.core.reports.written import FORMATS, write
from tests.requirements.shops import LibraryShop
from tests.shipped.library import shipped


@pytest.mark.slow
def test_every_report_and_alert_of_the_library_is_made_and_nothing_rings_in_a_shop_without_users(engine: Engine) -> None:
    shop = LibraryShop(engine, start="2025-07-01 12:00", project=shipped())
    with shop.app.work(shop.now) as work:
        for report in work.project.reports.values():
            made = make(work, report, period_on(work, report, date(2025, 7, 1)))
            assert [section.show for section in made.sections] == list(report.show)
            assert json.loads(write(made, "json", "zh"))["report"] == report.name
            assert all(write(made, form, lang_of(work)).endswith("\n") for form in FORMATS)
        seen = [look(work, alert, block_before(date(2025, 7, 1), 7)) for alert in work.project.alerts.values()]
    assert len(seen) >= 4 and not any(one.rang for one in seen)
    assert {alert.watch for alert in work.project.alerts.values()} & NUMBERS == {"k_factor"}
