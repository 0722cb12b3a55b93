"""A changed flow with many starts a day opens slowly; the others start the version before, or none."""

from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import Engine, insert

from sop_engine.actions import stopping
from sop_engine.actions.apply import Options
from sop_engine.actions.ingest import record_events
from sop_engine.actions.planning import plan_of
from sop_engine.core import ramp
from sop_engine.core.records import UserRecord
from sop_engine.store import runs
from tests.shop import Shop, keys

FLOW = "playbook: g\nintent: cultivate\nstart: {event: cart}\ngoal: buys\nagain: always\nsteps:\n  hi: {after: 1h, send: hello}\n"
CHANGED = FLOW.replace("send: hello", "send: again")
USERS = 200

pytestmark = pytest.mark.slow  # many starts on many days


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flow with more than 5 starts a day opens slowly, to at least one user."""
    monkeypatch.setattr(ramp, "FROM", 5)
    monkeypatch.setattr(ramp, "AT_LEAST", 1)


def starts(shop: Shop, a_day: int) -> None:
    """So many runs of the flow on each of the last 14 days, long ended."""
    rows = [
        {
            "user_id": 10_000 + n, "flow": "g", "version": 1, "start_key": "before", "cause": "", "started_day": 1, "anchor_day": 1,
            "started_at": shop.now - timedelta(hours=1 + n % 300), "state": "ended", "held_out": False,
        }
        for n in range(14 * a_day)
    ]  # fmt: skip
    with shop.app.transaction() as tx:
        tx.execute(insert(runs.runs), rows)


def applied(engine: Engine, changed: str = CHANGED, *, a_day: int = 100, options: Options | None = None) -> Shop:
    shop = Shop(engine, FLOW, start="2025-03-01 09:00")
    starts(shop, a_day)
    shop.apply(changed, options=options)
    shop.users([UserRecord(key, shop.now, {"phone": "13800000000"}) for key in keys(USERS)])
    return shop


def versions(shop: Shop) -> list[int]:
    """The version of the newest run of each user, after one more cart of everybody."""
    record_events(shop.app, [shop.record(key, "cart", shop.local(), {}) for key in keys(USERS)], shop.now)
    shop.beat()
    return [shop.runs(key)[-1].version for key in keys(USERS)]


@pytest.mark.slow
def test_a_hundredth_then_a_tenth_then_all_start_it_and_nobody_changes_side(engine: Engine) -> None:
    shop = applied(engine)
    days = []
    for day in ("2025-03-01 10:00", "2025-03-02 10:00", "2025-03-03 10:00"):
        shop.jump(day)
        days.append([v == 2 for v in versions(shop)])
    assert [sum(day) for day in days] == [pytest.approx(2, abs=4), pytest.approx(20, abs=14), USERS]
    assert all(not earlier or later for one, two in pairwise(days) for earlier, later in zip(one, two, strict=True))


def test_the_others_go_through_the_version_before_to_its_end(engine: Engine) -> None:
    shop = applied(engine)
    shop.jump("2025-03-01 10:00")
    started = versions(shop)
    shop.until("2025-03-01 11:30")
    assert set(started) == {1, 2} or set(started) == {1}
    assert [t == ("again" if v == 2 else "hello") for t, v in zip((m.text for m in shop.outbox()), started, strict=True)] == [True] * USERS


def test_it_does_not_open_further_while_a_stop_stands(engine: Engine) -> None:
    shop = applied(engine)
    with shop.app.work(shop.now + timedelta(hours=2)) as work:
        stopping.stop(work, "playbook:g", by="wang")
    shop.jump("2025-03-04 10:00")
    assert sum(v == 2 for v in versions(shop)) <= 6
    with shop.app.work(shop.now) as work:
        stopping.resume(work, "playbook:g", by="wang", why="all is well")
    shop.jump("2025-03-07 09:00")  # two quiet days, counted from nine o'clock of the fifth
    assert set(versions(shop)) == {2}


def test_without_a_version_to_fall_back_on_the_others_do_not_start(engine: Engine) -> None:
    shop = applied(engine, CHANGED.replace("event: cart", "event: visit"))
    shop.jump("2025-03-01 10:00")
    record_events(shop.app, [shop.record(key, "visit", shop.local(), {}) for key in keys(USERS)], shop.now)
    refused = sum(shop.refused(key) == ["ramp"] for key in keys(USERS))
    assert refused >= USERS - 6
    assert sum(len(shop.runs(key)) for key in keys(USERS)) == USERS - refused


@pytest.mark.parametrize(("a_day", "options"), [(5, None), (100, Options(at_once=True))])
def test_a_small_flow_and_one_that_is_opened_at_once_take_everybody(engine: Engine, a_day: int, options: Options | None) -> None:
    shop = applied(engine, a_day=a_day, options=options)
    shop.jump("2025-03-01 10:00")
    assert set(versions(shop)) == {2}


def test_a_plan_says_that_it_will_open_slowly(engine: Engine) -> None:
    shop = Shop(engine, FLOW, start="2025-03-01 09:00")
    starts(shop, 100)
    files = shop.files(CHANGED)
    found = plan_of(shop.app, shop.app.load(files), shop.now)
    assert [(f.change.kind, f.change.ramp) for f in found.flows] == [("changed", 100)]
