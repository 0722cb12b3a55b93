"""Measures a shop by every quoted figure: its own figures on its own data, each with its window and what was left out."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sop_engine.actions.measure_asked import Asked, Given, Missing
from sop_engine.actions.measure_effort import EFFORT
from sop_engine.actions.measure_reach import REACH
from sop_engine.actions.measure_users import USERS
from sop_engine.app import App
from sop_engine.core.errors import BadInput, NotFound
from sop_engine.core.measures.listed import MEASURES
from sop_engine.core.measures.values import Found, Measure, Told
from sop_engine.language.report import did_you_mean

COMPUTED = {**REACH, **USERS, **EFFORT}
DAYS = 90  # the window, where none is asked for


def measure(
    app: App,
    now: datetime,
    *,
    since: date | None = None,
    until: date | None = None,
    names: Sequence[str] = (),
    given: Given | None = None,
) -> list[Told]:
    """Every measure (or those named by key, title or row) over local days, both included: the last 90 complete ones if not said.

    A measure whose names the project lacks has one figure that says so. Raises NotFound for an unknown name, BadInput for days to
    come or in the wrong order.
    """
    wanted = _wanted(names)
    with app.work(now) as work:
        today = now.astimezone(work.live.zone).date()
        last = until or today - timedelta(days=1)
        first = since or last - timedelta(days=DAYS - 1)
        if last > today:
            raise BadInput(f"{last} is still to come.")
        if first > last:
            raise BadInput(f"the window begins on {first}, after its end on {last}.")
        asked = Asked(work, first, last, today.toordinal() - 1, given or Given())
        return [Told(one, first.isoformat(), last.isoformat(), _found(one, asked)) for one in wanted]


def _found(one: Measure, asked: Asked) -> tuple[Found, ...]:
    try:
        return tuple(COMPUTED[one.key](asked)) or (Found(why="nobody"),)
    except Missing as missing:
        return (Found(why=missing.kind, about=missing.name),)


def _wanted(names: Sequence[str]) -> list[Measure]:
    """By key, by title in either language, or by row: a row may be answered by several."""
    found: dict[str, Measure] = {}
    for name in names:
        same = [m for m in MEASURES.values() if name in (m.key, m.zh, m.en) or name.upper() in m.answers]
        if not same:
            raise NotFound(f"there is no measure '{name}'.{did_you_mean(name, list(MEASURES))} 'sop measure' lists them all.")
        found |= {m.key: m for m in same}
    return list(found.values()) if names else list(MEASURES.values())
