"""Events are stored once; refunds, repeats and trials come out the same in whatever order they arrive."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from itertools import permutations

import pytest
from sqlalchemy import Connection, Engine

from sop_engine.core.conditions import Value
from sop_engine.core.metrics import Metric
from sop_engine.core.records import EventRecord, UserRecord
from sop_engine.store.engine import transaction
from sop_engine.store.events import add_events, known_messages
from sop_engine.store.facts import read_facts
from sop_engine.store.metric_values import prepare, recompute
from sop_engine.store.scope import Scope
from sop_engine.store.users import add_users, ensure_users, get_user
from tests.builders import at
from tests.store.plain_reading import PROJECT

NOW = at("2025-03-10 12:00")


def event(message: str, kind: str, when: str = "2025-03-05 10:00", *, actor: str = "user", **fields: Value) -> EventRecord:
    return EventRecord(message, "u", kind, at(when), fields, actor)


def order(message: str, amount: str, *, order_id: str = "a", when: str = "2025-03-05 10:00") -> EventRecord:
    return event(message, "order", when, order_id=order_id, amount=Decimal(amount))


def refund(message: str, amount: str | None, *, order_id: str = "a", when: str = "2025-03-06 10:00") -> EventRecord:
    money: dict[str, Value] = {} if amount is None else {"amount": Decimal(amount)}
    return event(message, "refund", when, order_id=order_id, **money)


def store(tx: Connection, records: Sequence[EventRecord], now: datetime = NOW) -> dict[str, int]:
    ids, _ = ensure_users(tx, PROJECT, [(r.user_key, r.at) for r in records])
    return add_events(tx, PROJECT, records, ids, now)


def bought(tx: Connection) -> tuple[Value | None, Value | None]:
    """Orders and money of the only user."""
    prepare(tx, PROJECT)
    recompute(tx, PROJECT, Scope.everybody(), NOW)
    facts = next(iter(read_facts(tx, PROJECT, ["count", "sum"], Scope.everybody(), NOW).values()))
    return facts["count"], facts["sum"]


CASES = {
    "a refund takes the order back": ([order("1", "50"), refund("2", "50")], (0, 0)),
    "a refund of more than was paid takes the order back": ([order("1", "50"), refund("2", "60")], (0, 0)),
    "a smaller refund lowers the order": ([order("1", "50"), refund("2", "20.5")], (1, Decimal("29.5"))),
    "two refunds of parts add up": ([order("1", "50"), refund("2", "20"), refund("3", "10")], (1, 20)),
    "two refunds of parts can be the whole": ([order("1", "50"), refund("2", "20"), refund("3", "30")], (0, 0)),
    "a refund without money takes the order back": ([order("1", "50"), refund("2", None)], (0, 0)),
    "a second order with the same id is the same order": ([order("1", "50"), order("2", "70", when="2025-03-07 10:00")], (1, 50)),
    "the earlier of two orders with the same id counts": ([order("1", "50"), order("2", "70", when="2025-03-04 10:00")], (1, 70)),
    "of two orders at one time the message id decides": ([order("1", "50"), order("2", "70")], (1, 50)),
    "a trial counts nowhere": ([order("1", "0.01"), order("2", "50", order_id="b")], (1, 50)),
    "a trial with the id of an order is not that order": ([order("1", "0.01"), order("2", "50", when="2025-03-07 10:00")], (1, 50)),
    "a refund of another order changes nothing": ([order("1", "50"), refund("2", "50", order_id="b")], (1, 50)),
    "an order without an id counts": ([event("1", "order", amount=Decimal(5)), event("2", "order", amount=Decimal(6))], (2, 11)),
}


@pytest.mark.parametrize("name", CASES)
def test_what_counts_does_not_depend_on_the_order_of_arrival(engine: Engine, name: str) -> None:
    records, expected = CASES[name]
    for arrival in permutations(records):
        with engine.connect() as connection, connection.begin() as both:
            store(connection, arrival[:1])
            store(connection, arrival[1:])
            assert bought(connection) == expected, [r.message_id for r in arrival]
            both.rollback()


def test_a_message_id_is_stored_once_and_later_repeats_change_nothing(engine: Engine) -> None:
    with transaction(engine) as tx:
        first = store(tx, [order("1", "50"), order("1", "99"), order("2", "7", order_id="b")])
        assert set(first) == {"1", "2"}
        assert store(tx, [order("2", "99", order_id="c"), order("3", "1", order_id="d")]).keys() == {"3"}
        assert known_messages(tx, ["1", "3", "9"]) == {"1", "3"}
        assert bought(tx) == (3, 58)


def test_the_local_day_and_hour_are_those_of_the_project(engine: Engine) -> None:
    with transaction(engine) as tx:
        store(tx, [event("1", "visit", "2025-03-06 00:30")])
        assert tuple(tx.exec_driver_sql("SELECT day, hour FROM events").one()) == (date(2025, 3, 6).toordinal(), 0)


def test_fields_may_hold_anything_a_text_can_be(engine: Engine) -> None:
    pages = ["it's", 'say "hi"', "100%", ":day", "\\", "茶☕", "line\nbreak", "null\0byte"]
    with transaction(engine) as tx:
        store(tx, [event(str(i), "visit", f"2025-03-0{i + 1} 10:00", page=page) for i, page in enumerate(pages)])
        read = []
        for i in range(len(pages)):
            metrics = {"newest": Metric("newest", "last", "text", events=("visit",), field="page")}
            project = replace(PROJECT, metrics=metrics)
            prepare(tx, project)
            now = at(f"2025-03-0{i + 1} 12:00")
            recompute(tx, project, Scope.everybody(), now)
            read.append(next(iter(read_facts(tx, project, ["newest"], Scope.everybody(), now).values()))["newest"])
    assert read == [page.replace("\0", "") for page in pages]


def test_a_value_of_the_wrong_kind_is_unknown(engine: Engine) -> None:
    with transaction(engine) as tx:
        store(tx, [event("1", "order", order_id="a", amount=Decimal(5)), event("2", "refund", order_id=True, amount="x")])
        store(tx, [event("3", "visit", page=Decimal(7))])
        assert bought(tx) == (1, 5)
        assert next(iter(read_facts(tx, PROJECT, ["first_page"], Scope.everybody(), NOW).values())) == {"first_page": "7"}


def test_the_first_event_can_be_earlier_than_the_joining_that_was_imported(engine: Engine) -> None:
    with transaction(engine) as tx:
        add_users(tx, PROJECT, [UserRecord("u", at("2025-03-08 10:00")), UserRecord("v")], NOW)
        store(tx, [event("1", "visit", "2025-03-02 10:00"), event("2", "visit", "2025-03-09 10:00")])
        assert get_user(tx, PROJECT, "u").joined_at == at("2025-03-02 10:00")
        assert get_user(tx, PROJECT, "v").joined_at == NOW
