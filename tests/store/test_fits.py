"""What the database reads off a frozen fit is what `core.scoring` reads off it, and the population it is fitted on is the right one."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from random import Random

import pytest
from sqlalchemy import Connection, Engine

from sop_engine.core.catalog import Attribute
from sop_engine.core.conditions import Compare, Constant, Ref, Truth, Value
from sop_engine.core.fitting import fit_rank
from sop_engine.core.forms import Length
from sop_engine.core.metrics import Metric
from sop_engine.core.project import Project, Settings
from sop_engine.core.records import EventRecord, UserRecord
from sop_engine.core.scoring import cluster_of, grade_of, rank_of, score_of
from sop_engine.store import fits
from sop_engine.store.engine import transaction
from sop_engine.store.facts import read_facts
from sop_engine.store.scope import Scope
from sop_engine.store.users import add_users
from tests.builders import at
from tests.store.plain_reading import EVENTS
from tests.store.population import fill, fit_everything

NOW = at("2025-06-30 12:00")
MEMBER = Truth(Ref("attribute", "会员", "flag"))
PROJECT = Project(
    Settings("拟合", "Asia/Shanghai"),
    attributes={"x": Attribute("x", "number"), "y": Attribute("y", "number"), "会员": Attribute("会员", "flag")},
    events=EVENTS,
    metrics={
        "中位": Metric("中位", "grade", "words", of=("x",), cuts="median", best="low", names=("低", "高"), only=MEMBER),
        "五等": Metric("五等", "grade", "number", of=("y",), cuts="quintiles"),
        "固定": Metric("固定", "grade", "number", of=("x",), cuts=(Decimal(0), Decimal("2.5"), Decimal(5)), best="low"),
        "高排": Metric("高排", "rank", "number", of=("x",)),
        "低排": Metric("低排", "rank", "number", of=("y",), best="low", only=MEMBER),
        "簇": Metric("簇", "cluster", "number", of=("x", "y"), into=(3, 3)),
        "近况": Metric("近况", "count", "number", events=("visit",), within=Length(days=30)),
        "流失": Metric("流失", "score", "number", of=("近况", "x"), predicts=("visit", True), within=Length(days=30)),
    },
)


def users(random: Random, many: int) -> list[UserRecord]:
    found = []
    for i in range(many):
        values: Mapping[str, Value] = {
            "x": Decimal(random.randrange(-20, 80)) / 10,
            "y": Decimal(random.randrange(12)),
            "会员": random.random() < 0.6,
        }
        known = {name: value for name, value in values.items() if random.random() < 0.9}
        found.append(UserRecord(f"u{i}", NOW - timedelta(days=100), known))
    return found


def visits(random: Random, key: str) -> list[EventRecord]:
    days = [random.randrange(100) for _ in range(random.randrange(8))]
    return [EventRecord(f"{key}-{i}", key, "visit", NOW - timedelta(days=d, hours=1)) for i, d in enumerate(days)]


def test_the_database_reads_a_fit_as_core_does(engine: Engine) -> None:
    random = Random(11)
    with transaction(engine) as tx:
        people = users(random, 60)
        fill(tx, PROJECT, people, [e for p in people for e in visits(random, p.key)], NOW)
        fit_everything(tx, PROJECT, NOW)
        later = users(random, 40)  # who was not there when it was fitted
        add_users(tx, PROJECT, [replace(u, key=f"later {u.key}") for u in later], NOW)
        names = [*PROJECT.attributes, *PROJECT.metrics]
        facts = read_facts(tx, PROJECT, names, Scope.everybody(), NOW)
        stored = {name: one.fit for name, one in fits.latest_fits(tx).items()}
    for known in facts.values():
        x, y, visited = (number(known[n]) for n in ("x", "y", "近况"))
        metric = PROJECT.metrics
        member = known["会员"] is True
        assert known["中位"] == (grade_of(metric["中位"], x, stored["中位"]) if member else None)
        assert known["五等"] == grade_of(metric["五等"], y, stored["五等"])
        assert known["固定"] == grade_of(metric["固定"], x, None)
        assert known["高排"] == rank_of(metric["高排"], x, stored["高排"])
        assert known["低排"] == (rank_of(metric["低排"], y, stored["低排"]) if member else None)
        assert known["簇"] == cluster_of([x, y], stored["簇"])
        assert known["流失"] == score_of([visited, x], stored["流失"])


def number(value: Value | None) -> Decimal | None:
    assert value is None or isinstance(value, Decimal)
    return value


def test_a_rank_with_ten_thousand_points_is_read_alike(engine: Engine) -> None:
    metric = PROJECT.metrics["高排"]
    fit = fit_rank(metric, [i / 7 for i in range(25_000)])
    asked = [Decimal(0), Decimal("0.142857"), Decimal("1785.6"), Decimal("3571.285714"), Decimal(9999), Decimal(-1)]
    with transaction(engine) as tx:
        ids = add_users(tx, PROJECT, [UserRecord(str(v), NOW, {"x": v}) for v in asked])
        fits.save_fit(tx, metric, fit, NOW)
        facts = read_facts(tx, PROJECT, [metric.name], Scope.everybody(), NOW)
    assert {v: facts[ids[str(v)]][metric.name] for v in asked} == {v: rank_of(metric, v, fit) for v in asked}


def test_without_a_fit_everything_that_needs_one_is_unknown(engine: Engine) -> None:
    with transaction(engine) as tx:
        ids = fill(tx, PROJECT, [UserRecord("u", NOW, {"x": Decimal(1), "y": Decimal(1), "会员": True})], [], NOW)
        facts = read_facts(tx, PROJECT, ["中位", "五等", "高排", "簇", "流失"], Scope.of(ids.values()), NOW)
    assert set(facts[ids["u"]].values()) == {None}


def test_a_fit_is_made_from_those_who_take_part_and_have_all_values(engine: Engine) -> None:
    with transaction(engine) as tx:
        everyone = [
            UserRecord("in", NOW, {"x": Decimal("1.5"), "会员": True}),
            UserRecord("no member", NOW, {"x": Decimal(2), "会员": False}),
            UserRecord("no value", NOW, {"会员": True}),
        ]
        fill(tx, PROJECT, everyone, [], NOW)
        assert list(fits.values_for(tx, PROJECT, PROJECT.metrics["中位"], NOW)) == [(1.5,)]
        assert list(fits.values_for(tx, PROJECT, PROJECT.metrics["高排"], NOW)) == [(1.5,), (2.0,)]
        assert list(fits.values_for(tx, PROJECT, PROJECT.metrics["簇"], NOW)) == []


@pytest.mark.parametrize("negated", [True, False])
def test_a_chance_is_learnt_from_values_as_they_were_and_what_came_after(engine: Engine, negated: bool) -> None:
    metric = replace(
        PROJECT.metrics["流失"], predicts=("visit", negated), only=Compare(">", Ref("metric", "近况", "number"), Constant(Decimal(0)))
    )
    project = replace(PROJECT, metrics={**PROJECT.metrics, metric.name: metric})

    def visit(key: str, days_ago: int) -> EventRecord:
        return EventRecord(f"{key}-{days_ago}", key, "visit", NOW - timedelta(days=days_ago))

    long_ago = NOW - timedelta(days=90)
    people = [UserRecord(k, long_ago, {"x": Decimal(i)}) for i, k in enumerate(["stayed", "left", "was not active"])]
    people.append(UserRecord("new", NOW - timedelta(days=5), {"x": Decimal(9)}))
    log = [visit("stayed", 40), visit("stayed", 35), visit("stayed", 29), visit("left", 30), visit("was not active", 70), visit("new", 3)]
    with transaction(engine) as tx:
        fill(tx, project, people, log, NOW)
        before = stored_values(tx)
        rows, labels = fits.examples_for(tx, project, metric, NOW)
        assert sorted(zip(rows, labels, strict=True)) == [((1.0, 1.0), negated), ((2.0, 0.0), not negated)]
        assert stored_values(tx) == before
        everybody_of_then = fits.examples_for(tx, project, replace(metric, only=None), NOW)[0]
        assert sorted(x for _, x in everybody_of_then) == [0, 1, 2]


def test_of_very_many_users_a_chance_and_a_cluster_learn_from_every_second_and_cut_points_from_all(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fits, "MOST_LEARNT_FROM", 5)
    long_ago = NOW - timedelta(days=90)
    people = [UserRecord(f"u{n}", long_ago, {"x": Decimal(n), "会员": True}) for n in range(10)]
    log = [EventRecord(f"e{n}", f"u{n}", "visit", NOW - timedelta(days=40)) for n in range(10)]
    with transaction(engine) as tx:
        ids = fill(tx, PROJECT, people, log, NOW)
        even = {float(key[1:]) for key, user_id in ids.items() if user_id % 2 == 0}
        rows, labels = fits.examples_for(tx, PROJECT, PROJECT.metrics["流失"], NOW)
        assert {row[-1] for row in rows} == even
        assert len(rows) == len(labels) == 5
        assert len(fits.values_for(tx, PROJECT, PROJECT.metrics["高排"], NOW)) == 10
        assert len(fits.values_for(tx, PROJECT, PROJECT.metrics["簇"], NOW)) in (0, 5)


def stored_values(tx: Connection) -> list[tuple[object, ...]]:
    return [tuple(row) for row in tx.exec_driver_sql("SELECT * FROM user_metrics ORDER BY user_id")]


def test_a_refresh_at_the_same_moment_takes_the_place_of_the_one_before(engine: Engine) -> None:
    metric = PROJECT.metrics["高排"]
    with transaction(engine) as tx:
        ids = add_users(tx, PROJECT, [UserRecord("u", NOW, {"x": Decimal(3)})])
        for values in ([1.0], [5.0]):
            fits.save_fit(tx, metric, fit_rank(metric, values), NOW)
            read = read_facts(tx, PROJECT, [metric.name], Scope.everybody(), NOW)[ids["u"]][metric.name]
            assert read == rank_of(metric, Decimal(3), fit_rank(metric, values))
