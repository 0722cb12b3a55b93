"""A replay lives through stored days on a database of its own: what would have been sent, and where users were before."""

from datetime import date

from sqlalchemy import Engine

from sop_engine.actions.replay import Period, replay
from sop_engine.store import tallies
from tests.shop import Shop

BOOK = """
tier: stage
note: how long silent
levels:
  lost: quiet >= 5
  awake: otherwise
---
playbook: back
tier: stage
goal: joins
levels:
  lost: {intent: win_back, no_benefit: x, steps: {wake: {at: day 0 10:00, send: hello_push}}}
  awake: {none: x}
"""


def stored(engine: Engine) -> Shop:
    """u1 was there on 1 February and on 10 March."""
    shop = Shop(engine, BOOK, start="2025-04-01 09:00")
    visits = [("u1", "visit", f"2025-{day} 09:00", {}) for day in ("02-01", "03-10")]
    shop.history(*visits, joined="2025-02-01")
    return shop


def test_a_replay_sends_on_the_true_day_and_leaves_the_source_alone(engine: Engine) -> None:
    shop = stored(engine)
    tally, app = replay(shop.app, shop.app.load(shop.files(BOOK)), Period(date(2025, 3, 1), date(2025, 3, 31)))
    app.engine.dispose()
    assert tally.by_day == {"2025-03-15": 1}
    assert shop.touches() == []


def test_noted_days_tell_where_users_were_before_the_first_day(engine: Engine) -> None:
    shop = stored(engine)
    noted = (date(2025, 2, 3), date(2025, 2, 28))
    _, app = replay(shop.app, shop.app.load(shop.files(BOOK)), Period(date(2025, 3, 1), date(2025, 3, 2), noted))
    with app.transaction() as tx:
        levels = [tallies.levels_on(tx, "stage", day).get("lost", 0) for day in noted]
    app.engine.dispose()
    assert levels == [0, 1]
