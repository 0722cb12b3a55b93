"""Every invariant names exactly what breaks it, on both databases; weeks of a busy shop break none."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from sqlalchemy import Engine, text

from sop_engine.actions.invariants import ask_invariants, terms_of
from sop_engine.app import Work
from sop_engine.channels.contract import Receipt
from sop_engine.core.errors import DeliveryError
from sop_engine.store.dialect import dialect
from sop_engine.store.invariants import invariants
from tests.shop import Shop
from tests.shop_project import BENEFIT, Scripted

pytestmark = pytest.mark.slow

BOOKS = f"""
benefits:
  gift: {{pool: G, {BENEFIT.replace("100000", "500")}}}
---
tier: stage
note: x
levels:
  buyer: orders > 0
  fresh: otherwise
---
playbook: cart
intent: cultivate
start: {{event: cart}}
goal: buys
again: after 3d
variants: {{A: 50%, B: 50%}}
holdout: 20%
budget: 300 per 30d
steps:
  hi: {{after: 1h, send: {{A: hello, B: again}}}}
  gift: {{at: day 1 10:00, give: gift, send: coupon}}
  well: {{at: goal, send: receipt}}
---
playbook: thanks
intent: serve
start: {{event: order}}
goal: wakes
again: always
steps:
  thanks: {{at: now, send: receipt}}
  more: {{at: day 2 11:00, send: hello_push}}
"""
CAPS = "[2 per 1d, 6 per 7d]"
PLANT: Mapping[str, tuple[str, ...]] = {
    "nothing open belongs to a user": (
        "INSERT INTO former_users (id, now_id, key, joined_at, joined_day, attributes, turn) "
        "SELECT user_id, user_id, 'gone', started_at, 1, '{{}}', 0 FROM runs WHERE id = {ended}",
        "UPDATE runs SET state = 'open' WHERE id = {ended}",
    ),
    "one touch for each run": ("INSERT INTO touches SELECT * FROM touches WHERE id = {plain}",),
    "nothing hangs": (
        "UPDATE touches SET state = 'planned', due_at = '2025-01-02', late_at = '2025-01-03' WHERE id = {quiet}",
        "UPDATE touch_changes SET new = 'planned' WHERE id = (SELECT MAX(id) FROM touch_changes WHERE touch_id = {quiet})",
        "UPDATE runs SET state = 'open' WHERE id = (SELECT run_id FROM touches WHERE id = {quiet})",
    ),
    "nobody has more marketing": (
        "UPDATE touches SET intent_day = 739403, intent_at = '2025-06-01' WHERE purpose = 'marketing' AND user_id = {busiest}",
    ),
    "every unknown outcome has": (
        "UPDATE touches SET state = 'unknown', reason = 'no_answer', look_at = NULL WHERE id = {plain}",
        "UPDATE touch_changes SET new = 'unknown' WHERE id = (SELECT MAX(id) FROM touch_changes WHERE touch_id = {plain})",
    ),
    "the last recorded change": ("DELETE FROM touch_changes WHERE touch_id = {quiet}",),
    "recorded changes of a touch follow": ("UPDATE touch_changes SET old = 'sent' WHERE touch_id = {plain} AND old = 'planned'",),
    "no call follows one": (
        "CREATE TEMPORARY TABLE again AS SELECT * FROM attempts WHERE touch_id = {plain}",
        "UPDATE again SET id = 9999, epoch = epoch + 1, body_hash = 'other'",
        "INSERT INTO attempts SELECT * FROM again",
        "UPDATE touches SET epoch = epoch + 1 WHERE id = {plain}",
    ),
    "no message was intended after an opt-out": (
        "INSERT INTO opt_outs (user_id, channel, at, source, turn) SELECT user_id, channel, began_at, '', turn - 1 "
        "FROM attempts WHERE touch_id = {plain}",
    ),
    "no message was intended after the end": ("UPDATE runs SET end_turn = 0 WHERE id = (SELECT run_id FROM touches WHERE id = {plain})",),
    "no message was intended while": (
        "INSERT INTO stops (id, scope, stopped, at, by, why, finding) VALUES (77, 'playbook:cart', TRUE, '2025-03-01', 'x', '', ''), "
        "(78, 'playbook:cart', FALSE, '2025-03-02', 'x', '', ''), (79, 'playbook:car', TRUE, '2025-03-02', 'x', '', '')",
        "UPDATE attempts SET switch = 77 WHERE touch_id = {cart}",
        "UPDATE attempts SET switch = 79 WHERE touch_id <> {cart}",
    ),
    "no call begins before its touch": ("UPDATE attempts SET due_at = '2025-12-01' WHERE touch_id = {plain}",),
    "no call begins in closed": (
        "UPDATE attempts SET began_at = '2025-06-01 19:30:00+00:00' WHERE touch_id = {cart}",
        "UPDATE touches SET late_at = '2025-06-02' WHERE id = {cart}",
    ),
    "an outcome is written only by": ("UPDATE attempts SET epoch = epoch - 1 WHERE touch_id = {plain}",),
    "after an unclear call": (
        "CREATE TEMPORARY TABLE again AS SELECT * FROM attempts WHERE touch_id = {plain}",
        "UPDATE again SET id = 9999, epoch = epoch + 1, key = 'other'",
        "INSERT INTO attempts SELECT * FROM again",
        "UPDATE attempts SET outcome = 'unclear' WHERE touch_id = {plain} AND key <> 'other'",
        "UPDATE touches SET epoch = epoch + 1 WHERE id = {plain}",
    ),
    "what was sent is of a version": ("UPDATE versions SET release = 'nowhere' WHERE flow = 'thanks'",),
    "no held-out user was called": ("UPDATE runs SET held_out = TRUE WHERE id = (SELECT run_id FROM touches WHERE id = {cart})",),
    "every run that is over": ("UPDATE runs SET end_reason = NULL WHERE id = {ended}",),
    "every step of a run that waited": ("DELETE FROM touches WHERE id = {quiet}", "DELETE FROM touch_changes WHERE touch_id = {quiet}"),
    "a user is in one level": ("INSERT INTO placements SELECT * FROM placements WHERE user_id = 1",),
    "every move begins where": ("UPDATE moves SET old = 'nowhere' WHERE id = (SELECT MAX(id) FROM moves WHERE old IS NOT NULL)",),
    "one open run of a flow": ("UPDATE runs SET cause = '' WHERE id = {ended}",),
    "nobody came back": ("UPDATE runs SET started_day = started_day - 9 WHERE id = {second}",),
    "an arm never changes": ("UPDATE assignments SET variant = CASE variant WHEN 'A' THEN 'B' ELSE 'A' END WHERE NOT held_out",),
    "no pool gave more": ("UPDATE pools SET taken = taken + 1",),
    "no benefit and no flow": ("UPDATE grants SET cost = 400 WHERE id = (SELECT MIN(id) FROM grants WHERE state <> 'released')",),
    "a code belongs to one grant": ("UPDATE grants SET code = 'SAME'",),
    "a coupon of a provider": (
        "INSERT INTO asked_benefits (key, touch_id, benefit, provider, state, reason, code, url, asked_at, look_at, tries) "
        "VALUES ('k', {promised}, 'gift', 'p', 'declined', '', 'OTHER', '', '2025-03-01', '2025-03-01', 1)",
    ),
    "a message that may have been sent": ("UPDATE grants SET state = 'released' WHERE touch_id = {promised}",),
    "a code is used at most once": ("UPDATE grants SET used_at = '2025-01-01' WHERE id = (SELECT MIN(id) FROM grants)",),
    "an event is stored once": ("INSERT INTO events SELECT * FROM events WHERE id = 1",),
    "one holder leads": ("INSERT INTO leases VALUES ('leader', 'a', 1, '2025-03-01', 1), ('leader', 'b', 1, '2025-03-01', 1)",),
    "the database is one instance": ("DELETE FROM marks WHERE name = 'instance'",),
}
LOOSE = ("touches", "placements", "events", "leases", "attempts")  # copied without their keys, so that what they forbid can be planted


def busy(engine: Engine) -> Shop:
    """Some weeks: carts, orders, opt-outs, refusals, a stop, unclear answers, a downtime."""
    answers: list[Any] = [Receipt("1", "accepted"), DeliveryError("retry_after", "not_accepted"), DeliveryError("unknown", "no_answer")]
    sms = Scripted(answers=answers * 6)
    shop = Shop(engine, BOOKS, project={"caps": CAPS}, channels={"sms": sms})
    shop.codes("G", *(f"C{n}" for n in range(40)))
    people = [shop.user(f"u{n}") for n in range(12)]
    for week in range(3):
        for n, user in enumerate(people):
            shop.event(user, "cart", at=f"2025-03-{2 + week * 7:02} 09:{n:02}")
        for n, user in enumerate(people):
            if (n + week) % 3 == 0:
                shop.event(user, "order", at=f"2025-03-{2 + week * 7:02} 15:{n:02}", order_id=f"{week}{user}", amount=20)
            if n == week:
                shop.event(user, "unsubscribed", channel="sms")
        shop.until(f"2025-03-{8 + week * 7:02} 08:00")
    shop.event("u5", "cart")
    shop.jump("2025-03-30 12:00")
    shop.beat()
    shop.until("2025-04-20 12:00")
    return shop


def asked(work: Work) -> dict[str, int]:
    """How often each invariant is broken, by its sentence; only those that are."""
    return {one.invariant.says: one.count for one in ask_invariants(work).broken}


def test_weeks_of_a_busy_shop_break_no_invariant(engine: Engine) -> None:
    shop = busy(engine)
    states = {t.state for t in shop.touches()}
    assert {"sent", "skipped", "cancelled", "failed"} <= states
    with shop.app.work(shop.now) as work:
        found = ask_invariants(work)
        assert [(b.invariant.id, b.invariant.says, b.subjects) for b in found.broken] == []
    assert {i.id for i in found.absent} == {"I1", "I6", "I20", "I21", "I24", "I27"}
    every = {b.invariant.id for b in found.asked} | {i.id for i in found.absent}
    assert every == {f"I{n}" for n in range(1, 29)}


def test_for_every_invariant_that_can_be_asked_a_violation_is_planted_below(engine: Engine) -> None:
    with Shop(engine, BOOKS, project={"caps": CAPS}).app.work(Shop(engine).at("2025-03-01 09:00")) as work:
        says = [i.says for i in invariants(dialect(work.tx), terms_of(work)) if i.sql] + ["no call begins in closed hours"]
    assert [s for s in says if not any(s.startswith(start) for start in PLANT)] == []
    assert [start for start in PLANT if not any(s.startswith(start) for s in says)] == []


ALSO: Mapping[str, set[str]] = {"after an unclear call": {"no call follows one"}}  # what breaks the one breaks the other
EXAMPLES: Mapping[str, str] = {
    "plain": "SELECT MAX(t.id) FROM touches t WHERE t.state = 'sent' AND t.flow = 'thanks' AND t.template = 'receipt' "
    "AND NOT EXISTS (SELECT 1 FROM opt_outs o WHERE o.user_id = t.user_id)",
    "cart": "SELECT MAX(id) FROM touches WHERE state = 'sent' AND flow = 'cart' AND step = 'hi'",
    "quiet": "SELECT MAX(id) FROM touches WHERE state = 'skipped' AND reason = 'holdout' AND step = 'hi'",
    "busiest": "SELECT user_id FROM touches WHERE state = 'sent' AND purpose = 'marketing' GROUP BY user_id ORDER BY COUNT(*) DESC LIMIT 1",
    "ended": "SELECT MAX(id) FROM runs WHERE state = 'ended'",
    "second": "SELECT MIN(r.id) FROM runs r JOIN runs o ON o.user_id = r.user_id AND o.flow = r.flow AND o.id < r.id WHERE r.flow = 'cart'",
    "promised": "SELECT MAX(id) FROM touches WHERE state = 'sent' AND benefit IS NOT NULL",
}


def test_each_planted_violation_is_named_by_its_invariant_and_by_no_other(engine: Engine) -> None:
    shop = busy(engine)
    with shop.app.transaction() as tx:
        names = {name: tx.execute(text(sql)).scalar_one() for name, sql in EXAMPLES.items()}
    assert None not in names.values()
    wrong = {start: found for start, plant in PLANT.items() if (found := planted(shop, plant, names)) != {start} | ALSO.get(start, set())}
    assert wrong == {}


def planted(shop: Shop, statements: Sequence[str], names: Mapping[str, Any]) -> set[str]:
    """The invariants that name what these statements break, by the beginning of their sentences; nothing is kept."""
    with shop.app.engine.connect() as tx, tx.begin() as begun:
        for table in LOOSE:
            tx.execute(text(f"CREATE TEMPORARY TABLE {table} AS SELECT * FROM {table}"))
        for statement in statements:
            tx.execute(text(statement.format(**names)))
        found = asked(Work(shop.app, tx, shop.app.live(tx), shop.now))
        begun.rollback()
    return {next((start for start in PLANT if says.startswith(start)), says) for says in found}
