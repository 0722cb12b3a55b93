"""When reports are made, on both databases: of the closed period before their time, once, with the same bytes, also after downtime."""

import csv
import json
from datetime import date
from pathlib import Path
from typing import NoReturn

import pytest
from sqlalchemy import Engine

from sop_engine.actions.reporting import SHOWS, list_reports, make, period_on
from sop_engine.app import Rehearsal
from sop_engine.core.errors import NotFound
from sop_engine.core.reports.tables import Made, Section, table
from sop_engine.core.reports.written import FORMATS, write
from sop_engine.store import made_reports
from tests.actions.report_shop import Stored, shop_of
from tests.shop import Shop, keys

pytestmark = pytest.mark.slow

WEEKLY = "reports:\n  weekly: {show: [shares, moves], of: worth, every: mon 08:00, send: made, format: [html, csv, md, json]}\n"
DAILY = "reports:\n  daily: {show: tasks, every: day 08:00, send: made}\n"
MONTHLY = "reports:\n  review: {show: [moves, lists], of: worth, every: month day 1 08:00}\n  asked: {show: shares}\n"
SUNDAY = date(2025, 6, 29)


def lived(engine: Engine, *documents: str, start: str) -> Shop:
    """A shop with ten users, of whom one falls on 24 June."""
    shop = shop_of(engine, *documents, start=start)
    stored = Stored(shop)
    stored.levels(stored.users(keys(10)), "core")
    stored.levels(["u1"], "plain", "2025-06-24 10:00", old="core")
    return shop


def kept(shop: Shop, name: str, last: date, form: str) -> str | None:
    with shop.app.transaction() as tx:
        return made_reports.find(tx, name, last.toordinal(), form)


def anew(shop: Shop, name: str, on: str, form: str) -> str:
    with shop.app.work(shop.now) as work:
        report = work.project.reports[name]
        return write(make(work, report, period_on(work, report, date.fromisoformat(on))), form, "zh")


def test_s1_77_the_week_from_monday_to_sunday_is_made_on_monday_and_again_with_the_same_bytes(engine: Engine) -> None:
    shop = lived(engine, WEEKLY, start="2025-06-25 09:00")
    shop.until("2025-06-30 07:59")
    assert kept(shop, "weekly", SUNDAY, "json") is None
    shop.until("2025-06-30 08:00")
    first = {form: kept(shop, "weekly", SUNDAY, form) for form in FORMATS}
    told = json.loads(first["json"] or "")
    assert (told["first"], told["last"]) == ("2025-06-23", "2025-06-29")
    assert {"from": "core", "to": "plain", "moves": 1} in told["sections"][1]["tables"][0]["rows"]
    Stored(shop).users(["later"], "2025-06-30 07:00")
    shop.until("2025-07-03 09:00")
    assert {form: anew(shop, "weekly", "2025-06-30", form) for form in FORMATS} == first
    assert [m.text for m in shop.outbox()] == ["weekly: sop report weekly --on 2025-06-30"]


def test_s1_77_a_report_missed_while_the_engine_was_down_is_made_once_on_restart(engine: Engine) -> None:
    shop = lived(engine, WEEKLY, start="2025-06-25 09:00")
    shop.jump("2025-07-01 15:00")
    for _ in range(3):
        shop.beat()
    assert kept(shop, "weekly", SUNDAY, "csv") == anew(shop, "weekly", "2025-06-30", "csv")
    assert [m.text for m in shop.outbox()] == ["weekly: sop report weekly --on 2025-06-30"]
    with shop.app.transaction() as tx:
        assert len(tx.execute(made_reports.made.select()).all()) == len(FORMATS)


def test_s1_77_daily_reports_missed_for_days_are_made_each_and_told_of_once(engine: Engine) -> None:
    shop = lived(engine, DAILY, start="2025-06-25 09:00")
    shop.jump("2025-06-28 09:00")
    shop.beat()
    days = [date(2025, 6, n) for n in (24, 25, 26, 27)]
    assert [kept(shop, "daily", one, "csv") is not None for one in days] == [False, True, True, True]
    assert [m.text for m in shop.outbox()] == ["daily: sop report daily --on 2025-06-28"]


def test_s1_77_the_month_is_the_calendar_month_and_a_report_without_a_time_is_made_only_when_asked(engine: Engine) -> None:
    shop = lived(engine, MONTHLY, start="2025-06-25 09:00")
    shop.until("2025-07-01 08:00")
    told = json.loads(anew(shop, "review", "2025-07-01", "json"))
    assert (told["first"], told["last"]) == ("2025-06-01", "2025-06-30") and shop.outbox() == []
    assert kept(shop, "review", date(2025, 6, 30), "csv") == anew(shop, "review", "2025-07-01", "csv")
    with shop.app.work(shop.now) as work:
        listed = {one.name: one for one in list_reports(work)}
    assert (listed["review"].due, [k.format for k in listed["review"].kept]) == (shop.at("2025-08-01 08:00"), ["csv", "html"])
    assert (listed["asked"].due, listed["asked"].kept) == (None, ())
    assert json.loads(anew(shop, "asked", "2025-07-01", "json"))["first"] == "2025-06-01"


def test_a_report_that_cannot_be_made_keeps_no_other_from_being_made_and_is_tried_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_asked: object, _report: object) -> NoReturn:
        raise ZeroDivisionError

    shop = lived(engine, WEEKLY + "  other: {show: ring, every: mon 08:00, format: csv}\n", start="2025-06-25 09:00")
    monkeypatch.setitem(SHOWS, "moves", broken)
    shop.until("2025-06-30 08:05")
    assert (kept(shop, "weekly", SUNDAY, "csv"), kept(shop, "other", SUNDAY, "csv") is not None) == (None, True)
    monkeypatch.undo()
    shop.until("2025-06-30 08:09")
    assert kept(shop, "weekly", SUNDAY, "csv") is None
    shop.until("2025-06-30 08:10")
    assert kept(shop, "weekly", SUNDAY, "csv") == anew(shop, "weekly", "2025-06-30", "csv")
    assert [m.text for m in shop.outbox()] == ["weekly: sop report weekly --on 2025-06-30"]


def test_what_was_made_stays_as_it_was_when_history_is_corrected_later(engine: Engine) -> None:
    shop = lived(engine, WEEKLY, start="2025-06-25 09:00")
    shop.until("2025-06-30 08:00")
    before = kept(shop, "weekly", SUNDAY, "csv")
    stored = Stored(shop)
    stored.levels(stored.users(["late"]), "core", "2025-06-26 10:00")
    assert anew(shop, "weekly", "2025-06-30", "csv") != before == kept(shop, "weekly", SUNDAY, "csv")


def test_files_are_written_where_the_settings_say_and_the_link_leads_there(engine: Engine, tmp_path: Path) -> None:
    shop = lived(engine, WEEKLY, start="2025-06-25 09:00")
    shop.app.settings = shop.app.settings.model_copy(update={"reports_dir": str(tmp_path), "reports_url": "https://intranet.example/r/"})
    shop.until("2025-06-30 08:00")
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"weekly-2025-06-29.{form}" for form in sorted(FORMATS)]
    assert (tmp_path / "weekly-2025-06-29.md").read_text("utf-8") == kept(shop, "weekly", SUNDAY, "md")
    assert [m.text for m in shop.outbox()] == ["weekly: https://intranet.example/r/weekly-2025-06-29.html"]


def test_stories_and_backtests_make_no_report(engine: Engine) -> None:
    shop = lived(engine, WEEKLY, start="2025-06-25 09:00")
    shop.app.rehearsal = Rehearsal()
    shop.until("2025-06-30 12:00")
    assert kept(shop, "weekly", SUNDAY, "json") is None and shop.outbox() == []


def test_a_report_that_comes_with_a_release_has_missed_nothing(engine: Engine) -> None:
    shop = lived(engine, start="2025-06-25 09:00")
    shop.until("2025-06-30 09:00")
    with pytest.raises(NotFound, match="there is no report 'weekly'"), shop.app.work(shop.now) as work:
        from sop_engine.actions.reporting import declared

        declared(work, "weekly")
    again = shop_of(engine, WEEKLY, start="2025-06-30 09:00")
    again.until("2025-07-02 09:00")
    assert kept(again, "weekly", SUNDAY, "json") is None


MADE = Made("r", "", "2025-06-23", "2025-06-29", (
    Section("lists", (
        table("fell", ("user", "share:share", "gmv:money", "users:count"), [["<b>|x", 0.125, 1234.5, None], ["=1+1", None, 0.0, 7]],
              ("undue", "3")),
        table("rose", ("user",), []),
    )),
))  # fmt: skip


def test_every_format_says_the_same_and_takes_no_text_for_anything_but_text() -> None:
    page, text = write(MADE, "html", "en"), write(MADE, "md", "en")
    assert "&lt;b&gt;|x" in page and "<b>" not in page and "12.5%" in page and "1,234.50" in page and ">–<" in page
    assert r"\<b>\|x" in text and "nothing in this period" in text and "从最高层掉下来的" in write(MADE, "md", "zh")
    rows = list(csv.reader(write(MADE, "csv", "en").splitlines()))
    assert rows[:3] == [
        ["#", "lists", "fell", "2025-06-23", "2025-06-29"],
        ["user", "share", "gmv", "users"],
        ["<b>|x", "0.125", "1234.5", ""],
    ]
    assert rows[3] == ["'=1+1", "", "0.0", "7"] and rows[4] == ["!", "undue", "3"]
    told = json.loads(write(MADE, "json", "en"))["sections"][0]["tables"][0]
    assert told["rows"][0] == {"user": "<b>|x", "share": 0.125, "gmv": 1234.5, "users": None}
    assert [write(MADE, form, "zh") for form in FORMATS] == [write(MADE, form, "zh") for form in FORMATS]


def test_a_row_that_does_not_fit_its_head_is_refused() -> None:
    with pytest.raises(ValueError, match="has 1 cells for 2 columns"):
        table("fell", ("user", "on"), [["u"]])
