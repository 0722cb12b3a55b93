"""F41: receipts that come twice, in any order, before the send is settled, forged or not at all leave every touch in its right state."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from random import Random

import pytest
from sqlalchemy import Engine, select

from sop_engine.actions.ingest import record_events
from sop_engine.actions.invariants import ask_invariants
from sop_engine.channels.contract import Capability, Handed, Message, Receipt
from sop_engine.core.errors import DeliveryError
from sop_engine.store import touches
from tests.shop import Shop, keys
from tests.shop_project import Scripted

FLOW = "playbook: p\nintent: cultivate\nstart: {event: cart}\ngoal: buys\nagain: always\nsteps:\n  hi: {after: 1h, send: hello}\n"
KINDS = ("delivered", "opened", "clicked")
FORGED = ({"step": "no_such_step"}, {"step": "hi", "playbook": "no_such_playbook"}, {}, {"code": "GUESSED"})


@dataclass
class Askable(Scripted):
    """Can be asked what became of a key: it took every one of `taken`."""

    capability = Capability(ask="sure", settles_after=timedelta(minutes=2))

    def __post_init__(self) -> None:
        self.taken: set[str] = set()

    def ask(self, handed: Handed) -> Receipt | None:
        """What became of a key."""
        return Receipt(handed.key, "accepted") if handed.key in self.taken else None


def receipts_of(shop: Shop) -> dict[int, Counter[str]]:
    """By touch: how often each kind is stored."""
    with shop.app.transaction() as tx:
        found: dict[int, Counter[str]] = {}
        for row in tx.execute(select(touches.receipts)):
            found.setdefault(row.touch_id, Counter())[row.kind] += 1
        return found


def told(shop: Shop, user: str, kind: str, number: str, **fields: str) -> None:
    """A provider says something about a user; the same number is the same event."""
    record_events(shop.app, [shop.record(user, kind, shop.local(), {"id": f"{user}-{number}", "actor": "system", **fields})], shop.now)


@pytest.mark.parametrize("seed", range(2))
def test_f41_receipts_in_any_order_doubled_and_forged_end_in_the_same_state(engine: Engine, seed: int) -> None:
    random, users = Random(seed), list(keys(6))
    provider = Scripted([DeliveryError("unknown", "no_answer")] * 3)  # of the first three nobody knows
    shop = Shop(engine, FLOW, start="2025-03-01 10:00", channels={"sms": provider})
    for user in users:
        shop.event(shop.user(user), "cart")
    for user in users:  # too early: nothing has been sent
        told(shop, user, "opened", "early", step="hi")
    shop.jump("2025-03-01 11:00")
    shop.beat()
    wanted: dict[str, set[str]] = {}
    heard = []
    for user in users:
        kinds = random.sample(KINDS, random.randint(0, 3))
        wanted[user] = set(kinds)
        heard += [(user, kind, f"{kind}{n}", {"step": "hi"}) for kind in kinds for n in range(random.randint(1, 3))]
        heard += [(user, random.choice(KINDS), f"forged{n}", random.choice(FORGED)) for n in range(3)]
        heard.append(("stranger", "opened", f"of {user}", {"step": "hi"}))
    heard += random.sample(heard, len(heard) // 2)  # the same event once more
    random.shuffle(heard)
    for user, kind, number, fields in heard:
        shop.now += timedelta(seconds=1)
        told(shop, user, kind, number, **fields)
    shop.jump("2025-03-01 12:00")
    shop.beat()
    found = receipts_of(shop)
    lost = {t.user_id for t in shop.touches() if t.reason == "outcome_unknown"}
    for user in users:
        (touch,) = shop.touches(user)
        assert found.get(touch.id, Counter()) == Counter(dict.fromkeys(wanted[user], 1))
        assert (touch.state == "failed") is (touch.user_id in lost)
        assert touch.state == "sent" or (not wanted[user] and touch.reason == "outcome_unknown")
    assert len(provider.handed) == 6
    with shop.app.work(shop.now) as work:
        assert ask_invariants(work).broken == []


def test_f41_a_receipt_that_overtakes_the_answer_of_the_call_is_kept_and_the_call_is_settled_once(engine: Engine) -> None:
    def overtake(message: Message) -> None:
        told(shop, "u1", "delivered", message.key, step="hi")

    provider = Scripted(before=overtake)
    shop = Shop(engine, FLOW, start="2025-03-01 10:00", channels={"sms": provider})
    shop.event(shop.user("u1"), "cart")
    shop.jump("2025-03-01 11:00")
    shop.beat()
    assert (shop.states(), len(provider.handed)) == (["hi:sent"], 1)
    assert list(receipts_of(shop).values()) == [Counter(delivered=1)]


def test_f41_what_no_receipt_comes_for_is_asked_for(engine: Engine) -> None:
    def take_some(message: Message) -> None:
        if len(provider.handed) % 2:
            provider.taken.add(message.key)

    provider = Askable([DeliveryError("unknown", "no_answer")] * 4)
    provider.before = take_some
    shop = Shop(engine, FLOW, start="2025-03-01 10:00", channels={"sms": provider})
    for user in keys(4):
        shop.event(shop.user(user), "cart")
    shop.until("2025-03-01 11:00")
    assert shop.states() == ["hi:unknown:no_answer"] * 4
    shop.until("2025-03-01 11:10")
    assert shop.states() == ["hi:sent"] * 4
    assert len(provider.handed) == 4 + 2  # those that were not taken go once more, under another key
    assert len({m.key for m in provider.handed}) == 6
