"""The 18 golden users come out of the example project exactly as they are known: levels, flags, and the numbers behind them."""

from dataclasses import replace
from decimal import Decimal
from functools import cache

import pytest
from sqlalchemy import Engine

from sop_engine.core.conditions import Value
from sop_engine.core.metrics import Metric
from sop_engine.core.project import Project
from sop_engine.language.folder import read_folder
from sop_engine.language.load import load
from sop_engine.store import fits
from sop_engine.store.engine import transaction
from sop_engine.store.facts import read_facts
from sop_engine.store.scope import Scope
from tests.builders import EXAMPLE
from tests.golden.population import golden_users
from tests.store.population import fill, fit_everything, place_everybody

# The flags of the file that the example project does not have as tags, in the language.
MORE_TAGS = """
tags:
  逾期: {when: 生命周期 = 引入期 and 注册天数 > 7}
  从不互动: {when: 累计互动数 = 0}
  转冷: {when: 内容互动 = 中度 and 近7天互动数 = 0}
  活跃下滑: {when: 累计订单数 > 0 and 前30天活跃度 >= 4 and 活跃度环比 <= 70%}
  近分矛盾: {when: RFM五档 = 活跃 and R分 = 1}
  近期买过: {when: RFM五档 = 沉默 and R分 >= 4}
"""
FLAGS = {
    "overdue": "逾期",
    "never_active": "从不互动",
    "cooling": "转冷",
    "activity_decline": "活跃下滑",
    "recency_conflict": "近分矛盾",
    "recent_buyer": "近期买过",
    "retail_winback": "零售流失",
    "black_card": "黑卡",
    "diamond": "钻石会员",
    "fresh_vip": "生鲜尊享",
    "referral_seed": "转介种子",
    "group_buy_decline": "团购衰退",
}
FACTS = {
    "recency_days": "距上次消费天数",
    "orders_365d": "近365天订单数",
    "amount_365d": "近365天消费额",
    "orders_ever": "累计订单数",
    "orders_90d": "近90天订单数",
    "visit_days": "未访问天数",
    "interactions_7d": "近7天互动数",
    "interactions_30d": "近30天互动数",
    "activity_prev_30d": "前30天活跃度",
    "activity_30d": "近30天活跃度",
    "contribution": "贡献值",
}
RFM = {"r": "R分", "f": "F分", "m": "M分", "sum": "RFM总分"}


@cache
def project() -> Project:
    """The example project with the flags of the file, and its fixed revenue target instead of the best fifth of payers."""
    read = load({**read_folder(EXAMPLE), "playbooks/99-flags.yml": MORE_TAGS})
    spend = replace(read.metrics["消费五等"], cuts=tuple(map(Decimal, (100, 300, 600, 1000))))
    return replace(read, metrics={**read.metrics, spend.name: spend})


def in_the_language(value: object) -> Value | None:
    """A value of the file: numbers are Decimal."""
    return None if value is None else Decimal(str(value))


@pytest.mark.parametrize(("seed", "size"), [(1, 0), (2, 4)], ids=["at once", "in slices"])
def test_levels_flags_and_facts_are_those_of_the_golden_users_in_any_order_of_arrival(engine: Engine, seed: int, size: int) -> None:
    golden = golden_users()
    names = [*FACTS.values(), *RFM.values(), *FLAGS.values(), *project().tiers]
    with transaction(engine) as tx:
        ids = fill(tx, project(), golden.users, golden.shuffled(seed), golden.clock)
        fit_everything(tx, project(), golden.clock)
        place_everybody(tx, project(), golden.clock, size=size)
        facts = read_facts(tx, project(), names, Scope.of(ids.values()), golden.clock)
    for key, expected in golden.expect.items():
        found = facts[ids[key]]
        assert {m: found[m] for m in expected["levels"]} == expected["levels"], key
        assert {f for f, tag in FLAGS.items() if found[tag]} == set(expected["flags"]), key
        assert {f: found[name] for f, name in FACTS.items()} == {f: in_the_language(v) for f, v in expected["facts"].items()}, key
        points = expected["rfm"]
        # Whoever never ordered has points, but no level.
        assert points is None or {f: found[name] for f, name in RFM.items()} == {f: in_the_language(v) for f, v in points.items()}, key


def test_a_refresh_over_the_golden_users_finds_the_frozen_numbers(engine: Engine) -> None:
    golden = golden_users()
    with transaction(engine) as tx:
        fill(tx, project(), golden.users, golden.events, golden.clock)
        fit_everything(tx, project(), golden.clock)
        latest = {name: one.fit for name, one in fits.latest_fits(tx).items()}
    medians = golden.frozen["rfm8_medians"]
    for metric, number in {"R档": "recency_days", "F档": "orders_365d", "M档": "amount_365d"}.items():
        assert latest[metric].cuts == (float(medians[number]),)
    assert latest["贡献排名"].people == len(golden.users)


def test_a_fit_is_not_used_for_another_definition_or_when_it_is_too_old(engine: Engine) -> None:
    golden = golden_users()
    metric = project().metrics["R档"]
    with transaction(engine) as tx:
        ids = fill(tx, project(), golden.users, golden.events, golden.clock)
        fit_everything(tx, project(), golden.clock)
        somebody = ids["G08"]

        def grade(changed: Metric, days: int) -> Value | None:
            other = replace(project(), metrics={**project().metrics, metric.name: changed})
            now = golden.clock.replace(month=7, day=days) if days else golden.clock
            return read_facts(tx, other, [metric.name], Scope.of([somebody]), now)[somebody][metric.name]

        assert grade(metric, 0) == "高"
        assert grade(replace(metric, cuts="quartiles", names=("1", "2", "3", "4")), 0) is None
        assert grade(replace(metric, refresh="daily"), 6) is not None
        assert grade(replace(metric, refresh="daily"), 7) is None
