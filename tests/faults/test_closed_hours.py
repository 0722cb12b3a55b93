"""F57: hours that close over midnight, and an outage across them: nothing goes out inside, and what waited is spread afterwards."""

from collections import Counter
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from sop_engine.actions.ingest import record_events
from sop_engine.actions.invariants import ask_invariants
from sop_engine.channels.contract import Message
from sop_engine.core.records import UserRecord
from tests.shop import Shop
from tests.shop_project import Scripted

FLOW = (
    "playbook: p\nintent: cultivate\nstart: {event: cart}\ngoal: joins\nagain: always\nlate: 3d\nsteps:\n  hi: {after: 1h, send: hello}\n"
)
SHORT = (
    "playbook: q\nintent: cultivate\nstart: {event: visit}\ngoal: joins\nagain: always\nlate: 2h\nsteps:\n  hi: {after: 1h, send: hello}\n"
)
ZONES = ("Asia/Shanghai", "Asia/Kolkata", "Europe/Paris")
MANY = 50  # in each zone


def test_f57_after_an_outage_over_closed_hours_nothing_goes_out_inside_them_and_what_waited_is_spread(engine: Engine) -> None:
    def note(message: Message) -> None:
        handed.append(message.now)

    handed: list[datetime] = []
    provider = Scripted(before=note)
    shop = Shop(engine, FLOW, SHORT, start="2025-03-01 19:30", channels={"sms": provider})
    people = {f"{zone}-{n}": zone for zone in ZONES for n in range(MANY)}
    shop.users([UserRecord(key, shop.now, {"phone": "13800000000"}, zone) for key, zone in people.items()])
    record_events(shop.app, [shop.record(key, "cart", shop.local(), {}) for key in people], shop.now)
    record_events(shop.app, [shop.record(key, "visit", shop.local(), {}) for key in list(people)[:5]], shop.now)
    shop.jump("2025-03-02 22:10")  # due at 20:30 of the day before; nobody has worked since, and it is closed again in Shanghai
    shop.beat()
    assert shop.skipped() == ["hi:late"] * 5
    assert len(provider.handed) == 2 * MANY  # it is 15:10 in Paris, and 19:40 in Kolkata
    shop.until("2025-03-03 08:59:59")
    assert len(provider.handed) == 2 * MANY
    shop.until("2025-03-03 12:00")
    assert len(provider.handed) == 3 * MANY
    seconds = Counter(at for at in handed[2 * MANY :])
    opens = shop.at("2025-03-03 09:00")
    assert max(seconds.values()) == 20
    assert {at - opens for at in seconds} == {timedelta(seconds=n) for n in range(3)}
    assert len({m.key for m in provider.handed}) == 3 * MANY
    with shop.app.work(shop.now) as work:
        assert ask_invariants(work).broken == []


@pytest.mark.parametrize("hours", ["22:00-06:00", "23:59-00:01", "00:00-09:00"])
def test_f57_hours_open_over_midnight_send_on_both_sides_of_it_and_nowhere_else(engine: Engine, hours: str) -> None:
    sent: list[str] = []
    provider = Scripted(before=lambda m: sent.append(f"{m.now.astimezone(shop.zone):%H:%M}"))
    shop = Shop(engine, FLOW, start="2025-03-01 08:00", channels={"sms": provider}, project={"hours": hours})
    for n in range(24):
        shop.user(f"u{n}")
    for n in [*range(8, 24), *range(8)]:
        day = 1 if n >= 8 else 2
        shop.event(f"u{n}", "cart", at=f"2025-03-0{day} {n:02}:30")
    shop.until("2025-03-04 12:00")
    begin, end = hours.split("-")
    inside = [begin <= at or at < end if begin > end else begin <= at < end for at in sent]
    assert all(inside)
    assert len(sent) == 24
