"""A verdict leads to a proposal or a switch, for new users only, never silently, never in a rehearsal, and only as the playbook says."""

import logging
from collections import Counter

import pytest
from sqlalchemy import Engine

from sop_engine.actions.compare import compare_playbook, found, report_of
from sop_engine.actions.conclude import approve, conclude, follow_verdict
from sop_engine.actions.ingest import record_events
from sop_engine.actions.winners import winner_of
from sop_engine.core.errors import Refused
from tests.shop import Shop

pytestmark = pytest.mark.slow

PLAYBOOK = """
playbook: cart
intent: cultivate
start: {event: cart}
goal: {event: order, within: 3d}
again: always
holdout: 20%
variants: {A: 50%, B: 50%}
experiment: {planned_per_arm: 1000, winner: WINNER}
steps:
  hi: {at: day 0 18:00, send: {A: hello_push, B: hello_push}}
"""


def lived(engine: Engine, winner: str, *, text: str = PLAYBOOK) -> Shop:
    """288 users in eight days; everybody of B comes back, hardly anybody else."""
    shop = Shop(engine, text.replace("WINNER", winner), start="2025-03-01 09:00")
    for day in range(1, 9):
        shop.until(f"2025-03-0{day} 12:00")
        keys = [f"u{day}_{n}" for n in range(36)]
        record_events(shop.app, [shop.record(k, "cart", shop.local(), {}) for k in keys], shop.now)
        shop.until(f"2025-03-0{day} 19:00")
        back = [k for n, k in enumerate(keys) if shop.runs(k)[0].variant == "B" or n % 12 == 0]
        record_events(shop.app, [shop.record(k, "order", shop.local(), {"order_id": k, "amount": 5}) for k in back], shop.now)
    shop.until("2025-03-20 09:00")
    return shop


def newcomers(shop: Shop, prefix: str = "new", many: int = 60) -> Counter[str | None]:
    """So many new users: their variants, None for the hold-out."""
    keys = [f"{prefix}{n}" for n in range(many)]
    record_events(shop.app, [shop.record(k, "cart", shop.local(), {}) for k in keys], shop.now)
    return Counter(shop.runs(k)[0].variant for k in keys)


def test_s2_64_switch_gives_new_users_the_winner_keeps_the_hold_out_and_says_so(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "sop.experiment"):
        shop = lived(engine, "switch")
    assert [r.message.split(".")[0] for r in caplog.records] == ["experiment cart: B switched for new users"]
    new = newcomers(shop)
    assert new["A"] == 0 and new["B"] > 40 and new[None] > 3
    assert " · B as the winner since 2025-03-" in shop.runs("new0")[0].cause or shop.runs("new0")[0].held_out
    old = [f"u1_{n}" for n in range(36)]
    record_events(shop.app, [shop.record(k, "cart", shop.local(), {}) for k in old], shop.now)
    for key in old:
        first, second = shop.runs(key)[0], shop.runs(key)[-1]
        assert (first.variant, first.held_out) == (second.variant, second.held_out)


def test_who_came_after_the_switch_is_not_compared(engine: Engine) -> None:
    shop = lived(engine, "switch")
    before = compare_playbook(shop.app, "cart", shop.now)
    newcomers(shop)
    shop.until("2025-03-30 09:00")
    after = compare_playbook(shop.app, "cart", shop.now)
    assert [a.assigned for a in after.arms] == [a.assigned for a in before.arms]
    assert after.health.status != "red"


def test_propose_changes_nothing_until_a_person_approves(engine: Engine) -> None:
    shop = lived(engine, "propose")
    assert newcomers(shop, "early")["A"] > 5
    with shop.app.work(shop.now) as work:
        experiment = found(work, "cart")
        one = follow_verdict(work, experiment, report_of(work, experiment))
        assert one is not None and (one.variant, one.state) == ("B", "proposed")
        assert follow_verdict(work, experiment, report_of(work, experiment)) is None  # said once
    assert newcomers(shop, "between")["A"] > 5
    with shop.app.work(shop.now) as work:
        assert approve(work, "cart", "王经理").by == "王经理"
    assert newcomers(shop, "late")["A"] == 0
    with shop.app.work(shop.now) as work, pytest.raises(Refused, match="no winner is proposed"):
        approve(work, "cart", "王经理")


def test_ignore_does_nothing_and_a_changed_playbook_begins_anew(engine: Engine) -> None:
    shop = lived(engine, "ignore")
    with shop.app.work(shop.now) as work:
        experiment = found(work, "cart")
        assert follow_verdict(work, experiment, report_of(work, experiment)) is None
    assert conclude(shop.app, shop.now) == []
    assert newcomers(shop)["A"] > 5


def test_a_winner_falls_when_the_playbook_changes_in_more_than_shares(engine: Engine) -> None:
    shop = lived(engine, "switch")
    shop.apply(PLAYBOOK.replace("WINNER", "switch").replace("50%, B: 50%", "40%, B: 60%"))
    with shop.app.work(shop.now) as work:
        assert winner_of(work, found(work, "cart")) is not None
    shop.apply(PLAYBOOK.replace("WINNER", "switch").replace("day 0 18:00", "day 1 18:00"))
    with shop.app.work(shop.now) as work:
        assert winner_of(work, found(work, "cart")) is None
    assert newcomers(shop)["A"] > 5
    assert sum(a.assigned for a in compare_playbook(shop.app, "cart", shop.at("2025-03-22 09:00")).arms) == 60
