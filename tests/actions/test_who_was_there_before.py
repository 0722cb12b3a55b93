"""Users who matched before a flow was released: not at all, or a few a day; and rollouts to a part of the users."""

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from sop_engine.actions.ingest import record_events
from sop_engine.core.records import UserRecord
from tests.shop import Shop, keys

pytestmark = pytest.mark.slow

CART = """
playbook: cart
intent: cultivate
start: {event: cart}
goal: joins
again: always
rollout: SHARE
steps:
  nudge: {after: 10m, send: hello}
"""

EXISTING = """
playbook: back
intent: win_back
start: {enter: quiet >= 31}
goal: joins
anchor: last_active
late: 7d
EXISTING
steps:
  wake: {at: day 45 10:00, send: hello}
"""


def silent_shop(engine: Engine, existing: str) -> Shop:
    """210 users silent for 36 to 56 days, ten for each number of days; then the flow is released at nine."""
    shop = Shop(engine, "tags:\n  other: {}\n", start="2025-03-01 08:00")
    people, events = [], []
    for n, key in enumerate(keys(210)):
        at = shop.at("2025-03-01 12:00") - timedelta(days=36 + n % 21)
        people.append(UserRecord(key, at, {"phone": f"139{n:08d}"}))
        events.append(shop.record(key, "visit", at.astimezone(shop.zone).strftime("%Y-%m-%d %H:%M"), {}))
    shop.load_history(people, events)
    shop.jump("2025-03-01 09:00")
    shop.apply(EXISTING.replace("EXISTING", existing))
    return shop


def starts_by_day(shop: Shop) -> Counter[str]:
    """How many runs started on each local day."""
    return Counter(f"{run.started_at.astimezone(shop.zone):%m-%d}" for key in keys(210) for run in shop.runs(key))


def test_nobody_who_matched_before_the_release_starts_unless_the_flow_says_so(engine: Engine) -> None:
    shop = silent_shop(engine, "existing: ignore")
    shop.until("2025-03-31 10:00")
    assert shop.touches() == []


def test_existing_users_start_at_most_so_many_a_day_and_who_is_too_late_never(engine: Engine) -> None:
    shop = silent_shop(engine, "existing: enter\nexisting_per_day: 30")
    assert starts_by_day(shop) == {"03-01": 30}
    shop.until("2025-03-25 12:00")
    started = starts_by_day(shop)
    assert max(started.values()) == 30
    refused = [reason for key in keys(210) for reason in shop.refused(key)]
    assert set(refused) == {"late"}
    assert sum(started.values()) + len(refused) == 210
    sent = [t for t in shop.touches() if t.state == "sent"]
    assert len(sent) == sum(started.values())
    assert all(t.done_at >= shop.at("2025-03-01 09:00") and t.done_at - t.first_due_at <= timedelta(days=8) for t in sent)


def test_existing_users_of_a_level_that_was_there_before_the_playbook_start_too(engine: Engine) -> None:
    stages = "tier: stage\nnote: x\nlevels:\n  silent: quiet >= 31\n  other: otherwise\n"
    book = """\
playbook: b
tier: stage
goal: joins
levels:
  other: {none: x}
  silent: {intent: win_back, no_benefit: y, existing: enter, existing_per_day: 5, steps: {wake: {at: now, send: hello}}}
"""
    shop = Shop(engine, stages, start="2025-01-01 09:00")
    shop.user("u1")
    shop.until("2025-02-10 09:00")  # the midnight of 1 February moved u1
    shop.apply(stages, book)
    shop.beat()
    assert shop.sent("u1") == ["wake@02-10 09:00"]


def test_a_rollout_lets_in_the_same_part_of_the_users_every_time_and_a_larger_one_only_adds(engine: Engine) -> None:
    shop = Shop(engine, CART.replace("SHARE", "30%"), start="2025-03-01 10:00")
    records = [shop.record(key, "cart", "2025-03-01 10:00", {}) for key in keys(60)]
    record_events(shop.app, records, shop.now)
    first = {key for key in keys(60) if shop.runs(key)}
    assert {r for key in keys(60) if key not in first for r in shop.refused(key)} == {"rollout"}
    assert 5 < len(first) < 35
    shop.apply(CART.replace("SHARE", "60%"))
    record_events(shop.app, [shop.record(key, "cart", "2025-03-01 10:00", {}) for key in keys(60)], shop.now)
    second = {key for key in keys(60) if len(shop.runs(key)) == (2 if key in first else 1)}
    assert first < second
