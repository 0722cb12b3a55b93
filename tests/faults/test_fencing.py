"""F10 F20 F45: whoever held a touch and lost it writes nothing over its new holder; what the database itself refuses."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from sop_engine.actions.deliver import Watch, call_channels, conclude
from sop_engine.actions.intend import intend
from sop_engine.actions.release import rescue
from sop_engine.actions.resolve import resolve_unknown
from sop_engine.channels.contract import Capability, Receipt
from sop_engine.core.errors import DeliveryError
from sop_engine.store import attempts, grants, queue
from tests.shop import Shop, keys
from tests.shop_project import Scripted

FLOW = "playbook: p\nintent: cultivate\nstart: {event: cart}\ngoal: buys\nagain: always\nsteps:\n  hi: {after: 1h, send: hello}\n"


class Keyed(Scripted):
    """Knows every key again."""

    capability = Capability(idempotent_for=timedelta.max)


def begin(engine: Engine, provider: Scripted | None = None, users: int = 1) -> Shop:
    shop = Shop(engine, FLOW, start="2025-03-01 10:00", channels={"sms": provider} if provider else {})
    for user in keys(users):
        shop.event(shop.user(user), "cart")
    shop.jump("2025-03-01 11:00")
    return shop


@pytest.mark.parametrize("answer", [DeliveryError("retry_after", "not_accepted"), DeliveryError("permanent", "content")])
def test_f10_the_answer_of_a_frozen_worker_changes_nothing_of_what_its_successor_does(engine: Engine, answer: DeliveryError) -> None:
    """The first worker freezes in its call; its lease ends; the second, under the same key, is in its call when the first wakes."""
    frozen = Keyed([answer])

    def first_wakes(_message: object) -> None:
        if len(frozen.handed) == 2:
            conclude(shop.app, answered, shop.now)

    shop = begin(engine, frozen)
    hints = shop.claim()
    with shop.app.work(shop.now) as work:
        intents = intend(work, queue.queued_for_delivery(work.tx, hints))
    answered = call_channels(shop.app, intents, Watch(shop.app, shop.now))
    frozen.before = first_wakes
    shop.now += timedelta(minutes=3)
    assert rescue(shop.app, shop.now) == (0, 1)
    shop.now += timedelta(minutes=1)
    resolve_unknown(shop.app, shop.now)
    assert shop.states() == ["hi:sent"]
    assert [m.key for m in frozen.handed] == [frozen.handed[0].key] * 2
    with shop.app.transaction() as tx:
        late = tx.execute(attempts.late_results.select()).all()
    assert [row.epoch for row in late] == [1]


def test_f20_hints_doubled_reordered_and_an_hour_late_send_once(engine: Engine) -> None:
    provider = Scripted()
    shop = begin(engine, provider, users=2)
    hints = shop.claim()
    assert len(hints) == 2
    for told in (hints[::-1] + hints, hints, [(i, e - 1) for i, e in hints]):
        shop.deliver(told)
    shop.now += timedelta(hours=1)
    shop.deliver(hints)
    assert len(provider.handed) == 2
    assert shop.states() == ["hi:sent", "hi:sent"]


def test_every_intent_takes_the_next_turn_and_so_does_an_opt_out(engine: Engine) -> None:
    shop = begin(engine, Scripted())
    with shop.app.transaction() as tx:
        before = tx.execute(text("SELECT turn FROM users")).scalar_one()
    shop.beat()
    shop.event("u1", "unsubscribed", channel="sms")
    with shop.app.transaction() as tx:
        attempt = tx.execute(text("SELECT turn FROM attempts")).scalar_one()
        refusal = tx.execute(text("SELECT turn FROM opt_outs")).scalar_one()
    assert before < attempt < refusal


def test_the_database_itself_refuses_a_second_touch_of_the_same_step(engine: Engine) -> None:
    shop = begin(engine)
    columns = "run_id, user_id, flow, step, occurrence, state, due_at, first_due_at, late_at, rank, epoch, attempts"
    with pytest.raises(IntegrityError), shop.app.transaction() as tx:
        tx.execute(text(f"INSERT INTO touches ({columns}) SELECT {columns} FROM touches"))


def test_a_pool_gives_no_more_codes_than_it_has(engine: Engine) -> None:
    with engine.begin() as tx:
        tx.execute(text("INSERT INTO pools (name, kind, size, taken) VALUES ('G', 'generated', 2, 0)"))
        taken = [grants.take_code(tx, "G", lambda: "code") for _ in range(4)]
    assert taken == ["code", "code", None, None]


def test_f45_an_event_told_twice_is_stored_once_and_starts_once(engine: Engine) -> None:
    shop = begin(engine)
    for _ in range(2):
        shop.event("u1", "cart", id="one")
    assert len(shop.runs("u1")) == 2
    with shop.app.transaction() as tx:
        assert tx.execute(text("SELECT COUNT(*) FROM events WHERE message_id = 'one'")).scalar_one() == 1


def test_f35_a_500_after_accepting_is_settled_under_the_same_key(engine: Engine) -> None:
    provider = Keyed([DeliveryError("unknown", "no_answer"), Receipt("7", "accepted")])
    shop = begin(engine, provider)
    shop.until("2025-03-01 12:00")
    assert shop.states() == ["hi:sent"]
    assert len({m.key for m in provider.handed}) == 1
    assert len({m.text for m in provider.handed}) == 1
