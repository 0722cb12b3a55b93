"""The fixed forms: what fits, what it means, and what does not fit."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sop_engine.core.forms import Again, Hours, Instant, Length, Limit, Moment, Schedule, Valid
from sop_engine.language import forms


@pytest.mark.parametrize(
    ("form", "text", "value"),
    [
        (forms.LENGTH, "30d", Length(days=30)),
        (forms.LENGTH, "10m", Length(exact=timedelta(minutes=10))),
        (forms.LENGTH, "48h", Length(exact=timedelta(hours=48))),
        (forms.DAYS, "7d", Length(days=7)),
        (forms.EXACT, "90m", timedelta(minutes=90)),
        (forms.MOMENT, "now", Moment("now")),
        (forms.MOMENT, "goal", Moment("goal")),
        (forms.MOMENT, "end", Moment("end")),
        (forms.MOMENT, "day 3", Moment("day", 3)),
        (forms.MOMENT, "day 3 10:00", Moment("day", 3, 600)),
        (forms.MOMENT, "day -2 08:00", Moment("day", -2, 480)),
        (forms.MOMENT, "day 3 22:00-24:00", Moment("day", 3, 1320, 1440)),
        (forms.SCHEDULE, "day 10:00", Schedule("day", 600)),
        (forms.SCHEDULE, "workday 14:00", Schedule("workday", 840)),
        (forms.SCHEDULE, "sun 09:30", Schedule("weekday", 570, 7)),
        (forms.SCHEDULE, "month day 31 10:00", Schedule("month_day", 600, 31)),
        (forms.SCHEDULE, "14d 19:00", Schedule("days", 1140, 14)),
        (forms.SCHEDULE, "year on 生日 10:00", Schedule("year", 600, 0, "生日")),
        (forms.SCHEDULE, "year 7d before 生日 10:00", Schedule("year", 600, 7, "生日")),
        (forms.INSTANT, "2025-11-11 10:00", Instant(datetime(2025, 11, 11, 10))),
        (forms.SHARE, "10%", Decimal("0.1")),
        (forms.SHARE, "12.5%", Decimal("0.125")),
        (forms.HOURS, "09:00-24:00", Hours(540, 1440)),
        (forms.HOURS, "22:00-06:00", Hours(1320, 360)),
        (forms.LIMIT, "2 per 1d", Limit(Decimal(2), Length(days=1))),
        (forms.LIMIT, "1 per 48h", Limit(Decimal(1), Length(exact=timedelta(hours=48)))),
        (forms.BUDGET, "50000.50 per 30d", Limit(Decimal("50000.50"), Length(days=30))),
        (forms.AGAIN, "never", Again("never")),
        (forms.AGAIN, "after 90d", Again("after", Length(days=90))),
        (forms.VALID, "48h", Valid("length", Length(exact=timedelta(hours=48)))),
        (forms.VALID, "until sun", Valid("weekday", weekday=7)),
        (forms.VALID, "until month end", Valid("month_end")),
        (forms.VALID, "until 2025-11-11", Valid("date", day=date(2025, 11, 11))),
        (forms.HOLIDAYS, "2025-10-01 to 2025-10-03", (date(2025, 10, 1), date(2025, 10, 2), date(2025, 10, 3))),
        (forms.DAY_AND_TIME, "2025-03-01", (date(2025, 3, 1), 0)),
        (forms.DAY_AND_TIME, "2025-03-01 15:20", (date(2025, 3, 1), 920)),
        (forms.STORY_TIME, "day -30 12:00", (-30, 720)),
        (forms.FLAG, "false", False),
        (forms.INTO, "2-5", (2, 5)),
    ],
)
def test_a_text_of_the_form_has_this_value(form: forms.Form, text: str, value: Any) -> None:
    assert form.parse(text) == value


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (forms.LENGTH, "0d"),
        (forms.LENGTH, "3 months"),
        (forms.LENGTH, "30D"),
        (forms.EXACT, "7d"),
        (forms.MOMENT, "day3 10:00"),
        (forms.MOMENT, "day 1 24:00"),
        (forms.MOMENT, "day 3 12:00-10:00"),
        (forms.MOMENT, "10:00"),
        (forms.SCHEDULE, "month day 0 10:00"),
        (forms.SCHEDULE, "0d 10:00"),
        (forms.SCHEDULE, "mon"),
        (forms.INSTANT, "2025-02-30 10:00"),
        (forms.SHARE, "101%"),
        (forms.SHARE, "0.1"),
        (forms.HOURS, "9:00-21:00"),
        (forms.HOURS, "09:00-09:00"),
        (forms.AGAIN, "after 90 days"),
        (forms.HOLIDAYS, "2025-10-08 to 2025-10-01"),
        (forms.DAY_AND_TIME, "2025-3-1"),
        (forms.COUNT, "0"),
        (forms.MONEY, "-3"),
        (forms.FLAG, "yes"),
        (forms.INTO, "5-2"),
        (forms.LENGTH, "٣d٠"),
    ],
)
def test_a_text_that_does_not_fit_has_no_value(form: forms.Form, text: str) -> None:
    assert form.parse(text) is None
