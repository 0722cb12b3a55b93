"""Arms: recorded before anything is sent, never changed, the same for the same user; hold-outs of a flow and of the project."""

from collections import Counter

from sqlalchemy import Engine, select

from sop_engine.actions.ingest import record_events
from sop_engine.store.runs import assignments
from tests.shop import Shop, keys

FLOW = """
playbook: cart
intent: cultivate
start: {event: cart}
goal: joins
again: always
holdout: HELD
variants: {A: SHARE%, B: REST%}
MORE
steps:
  hi: {at: day 1 10:00, send: {A: hello, B: hello_push}}
  note: {at: day 2 10:00, send: receipt}
"""


def flow(share: int = 50, held: str = "20%", more: str = "") -> str:
    """Two variants and a hold-out."""
    return FLOW.replace("SHARE", str(share)).replace("REST", str(100 - share)).replace("HELD", held).replace("MORE", more)


def carts(shop: Shop, many: int) -> None:
    """Everybody has a cart, now."""
    record_events(shop.app, [shop.record(key, "cart", shop.local(), {}) for key in keys(many)], shop.now)
    shop.beat()


def arms(shop: Shop) -> dict[int, tuple[str | None, bool]]:
    """The recorded arm of each user."""
    with shop.app.transaction() as tx:
        return {r.user_id: (r.variant, r.held_out) for r in tx.execute(select(assignments))}


def begin(engine: Engine, document: str, many: int = 80, **project: str) -> Shop:
    """So many users with a cart each, on 1 March."""
    shop = Shop(engine, document, start="2025-03-01 12:00", project=project)
    for key in keys(many):
        shop.user(key)
    carts(shop, many)
    return shop


def test_the_arm_is_recorded_at_the_start_before_anything_is_sent(engine: Engine) -> None:
    shop = begin(engine, flow())
    recorded = Counter(arms(shop).values())
    assert shop.outbox() == []
    assert recorded.keys() == {("A", False), ("B", False), (None, True)}
    assert sum(recorded.values()) == 80
    assert min(recorded.values()) >= 5


def test_everybody_gets_the_message_of_the_arm_and_the_held_out_nothing_at_all(engine: Engine) -> None:
    shop = begin(engine, flow(), 40)
    shop.until("2025-03-03 10:00")
    for user, (variant, held) in arms(shop).items():
        templates = [m.template for m in shop.outbox(f"u{user}")]
        assert templates == ([] if held else [{"A": "hello", "B": "hello_push"}[str(variant)], "receipt"])
        assert shop.skipped(f"u{user}") == (["hi:holdout", "note:holdout"] if held else [])


def test_editing_the_shares_moves_nobody_who_has_started_not_even_at_the_next_start(engine: Engine) -> None:
    shop = begin(engine, flow(50))
    before = arms(shop)
    shop.apply(flow(90, "0%"))
    carts(shop, 80)
    assert arms(shop) == before
    second = [shop.runs(f"u{user}")[1] for user in before]
    assert [(r.variant, r.held_out) for r in second] == list(before.values())


def test_a_new_name_draws_anew_and_flows_of_one_name_share_their_arms(engine: Engine) -> None:
    other = flow(more="experiment: {name: shared}").replace("playbook: cart", "playbook: other")
    one = flow(more="experiment: {name: shared}")
    shop = Shop(engine, one, other, start="2025-03-01 12:00")
    for key in keys(20):
        shop.user(key)
    carts(shop, 20)
    for key in keys(20):
        first, second = shop.runs(key)
        assert (first.variant, first.held_out) == (second.variant, second.held_out)
    assert len(arms(shop)) == 20


def test_the_held_out_of_the_project_get_no_marketing_enter_no_arms_and_still_get_service(engine: Engine) -> None:
    shop = begin(engine, flow(), 40, holdout="50%")
    shop.until("2025-03-03 10:00")
    apart = [key for key in keys(40) if shop.runs(key)[0].user_id not in arms(shop)]
    assert 8 < len(apart) < 32
    for key in apart:
        assert shop.runs(key)[0].variant is None
        assert [m.template for m in shop.outbox(key)] == ["receipt"]
        assert shop.skipped(key) == ["hi:holdout"]


def test_holdout_is_the_last_reason_so_that_it_is_known_who_could_have_been_reached(engine: Engine) -> None:
    shop = Shop(engine, flow(held="100%"), start="2025-03-01 12:00")
    shop.user("reachable")
    shop.user("nowhere", phone="")
    record_events(shop.app, [shop.record(key, "cart", shop.local(), {}) for key in ("reachable", "nowhere")], shop.now)
    shop.until("2025-03-02 10:00")
    assert shop.skipped("reachable") == ["hi:holdout"]
    assert shop.skipped("nowhere") == ["hi:no_channel"]
