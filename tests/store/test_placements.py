"""Moving everybody inside the database decides what `core.tiers.Placer` decides for each, and keeps the history."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from random import Random

import pytest
from sqlalchemy import Connection, Engine

from sop_engine.core.catalog import Attribute
from sop_engine.core.conditions import Always, Compare, Condition, Constant, Known, Not, Ref, Truth
from sop_engine.core.forms import Length
from sop_engine.core.metrics import Metric
from sop_engine.core.project import Project, Settings
from sop_engine.core.records import UserRecord
from sop_engine.core.tiers import Level, Move, Placer, Tier
from sop_engine.store.engine import transaction
from sop_engine.store.facts import read_facts
from sop_engine.store.layers import known
from sop_engine.store.levels import ByHand, Moved, current_levels, set_by_hand
from sop_engine.store.placements import place
from sop_engine.store.scope import Scope
from sop_engine.store.users import add_users, set_attributes
from tests.builders import at

NOW = at("2025-03-01 08:00")
POINTS = Ref("attribute", "分", "number")
STAFF = Ref("attribute", "内部", "flag")


def least(points: int) -> Condition:
    return Compare(">=", POINTS, Constant(Decimal(points)))


LADDER = Tier(
    "档",
    (Level("金", least(8), keep=least(6)), Level("银", least(4), keep=least(3)), Level("铜", Known(POINTS))),
    ladder=("金", "银", "铜"),
    only=Not(Truth(STAFF)),
    min_stay=3,
)
CELLS = Tier("格", (Level("a", least(5)), Level("b", least(2)), Level("c", Always())), min_stay=2)
PROJECT = Project(
    Settings("档", "Asia/Shanghai"),
    attributes={"分": Attribute("分", "number"), "内部": Attribute("内部", "flag"), "生日": Attribute("生日", "date")},
    metrics={"年龄": Metric("年龄", "years_since", "number", of=("生日",), within=Length(days=1))},
    tiers={"档": LADDER, "格": CELLS},
)


def put(tx: Connection, tier: Tier, scope: Scope, days: int = 0) -> list[Moved]:
    now = NOW + timedelta(days=days)
    return place(tx, known(tx, PROJECT, now), tier, scope, now, cause="sweep", release="r1")


@pytest.mark.parametrize(
    "tier", [LADDER, CELLS, replace(LADDER, min_stay=0), replace(CELLS, min_stay=0)], ids=["ladder", "cells", "no stay", "free"]
)
def test_the_database_decides_what_core_decides(engine: Engine, tier: Tier) -> None:
    random = Random(3)
    with transaction(engine) as tx:
        ids = sorted(add_users(tx, PROJECT, [UserRecord(f"u{i}", NOW) for i in range(25)]).values())
        level: dict[int, str | None] = dict.fromkeys(ids)
        since = dict.fromkeys(ids, 0)
        for day in range(15):
            for user in random.sample(ids, 12):
                points = random.choice([None, *map(Decimal, range(11))])
                set_attributes(tx, user, {"分": points, "内部": random.random() < 0.2})
            facts = read_facts(tx, PROJECT, ["分", "内部"], Scope.of(ids), NOW)
            expected = []
            for user in ids:
                made = Placer(tier).decide(facts[user], level[user], day - since[user])
                if isinstance(made, Move):
                    expected.append((user, made.old, made.new, made.up))
                    level[user], since[user] = made.new, day
            moved = put(tx, tier, Scope.everybody() if day % 2 else Scope.of(ids), day)
            assert [(m.user_id, m.old, m.new, m.up) for m in moved] == expected
            assert put(tx, tier, Scope.everybody(), day) == []
        placed = current_levels(tx, ids)
        assert {u: placed[u][tier.name].level if u in placed else None for u in ids} == level


def test_a_move_is_dated_and_keeps_what_the_rules_read(engine: Engine) -> None:
    with transaction(engine) as tx:
        user = add_users(tx, PROJECT, [UserRecord("u", NOW, {"分": Decimal("4.5")})])["u"]
        first = put(tx, LADDER, Scope.of([user]))[0]
        assert (first.old, first.new, first.up, first.at) == (None, "银", None, NOW)
        assert first.facts == {"分": Decimal("4.5"), "内部": None}
        set_attributes(tx, user, {"分": Decimal(9), "内部": False})
        second = put(tx, LADDER, Scope.everybody(), 1)[0]
        assert (second.old, second.new, second.up, second.facts) == ("银", "金", True, {"分": Decimal(9), "内部": False})
        history = tx.exec_driver_sql("SELECT old, new, day, cause, release FROM moves ORDER BY id").all()
        day = NOW.date().toordinal()
        assert [tuple(row) for row in history] == [(None, "银", day, "sweep", "r1"), ("银", "金", day + 1, "sweep", "r1")]
        placed = current_levels(tx, [user])[user]["档"]
        assert (placed.level, placed.before, placed.since_day) == ("金", "银", day + 1)


def test_only_the_users_asked_about_are_moved_and_movers_may_be_left_inside(engine: Engine) -> None:
    with transaction(engine) as tx:
        ids = add_users(tx, PROJECT, [UserRecord(f"u{i}", NOW, {"分": Decimal(5)}) for i in range(3)])
        assert [m.user_id for m in put(tx, LADDER, Scope.of([ids["u1"]]))] == [ids["u1"]]
        assert put(tx, LADDER, Scope.of([])) == []
        assert place(tx, known(tx, PROJECT, NOW), LADDER, Scope.everybody(), NOW, cause="apply", release="r", stream=False) == []
        assert len(current_levels(tx, ids.values())) == 3


def test_a_level_set_by_hand_stands_until_its_last_day_and_waits_for_nothing(engine: Engine) -> None:
    today = NOW.date().toordinal()
    with transaction(engine) as tx:
        user = add_users(tx, PROJECT, [UserRecord("u", NOW, {"分": Decimal(9)})])["u"]
        put(tx, LADDER, Scope.everybody())
        set_by_hand(tx, user, ByHand("档", "铜", until_day=today + 1), NOW)
        assert [m.new for m in put(tx, LADDER, Scope.everybody())] == ["铜"]
        assert put(tx, LADDER, Scope.everybody(), 1) == []
        assert [m.new for m in put(tx, LADDER, Scope.everybody(), 2)] == ["金"]
        set_by_hand(tx, user, ByHand("档", None), NOW)
        assert [m.new for m in put(tx, LADDER, Scope.everybody(), 3)] == [None]


def test_a_metric_set_by_hand_replaces_what_would_be_computed(engine: Engine) -> None:
    with transaction(engine) as tx:
        ids = add_users(tx, PROJECT, [UserRecord("a", NOW, {"生日": NOW.date()}), UserRecord("b", NOW)])
        set_by_hand(tx, ids["b"], ByHand("年龄", "12.5", until_day=NOW.date().toordinal()), NOW)
        read = {d: read_facts(tx, PROJECT, ["年龄"], Scope.everybody(), NOW + timedelta(days=d)) for d in (0, 1)}
    assert read[0] == {ids["a"]: {"年龄": Decimal(0)}, ids["b"]: {"年龄": Decimal("12.5")}}
    assert read[1][ids["b"]] == {"年龄": None}
