"""Says that a condition is called always or never true only when no user can prove the opposite."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sop_engine.core.catalog import Attribute
from sop_engine.core.conditions import And, Arith, Compare, Condition, Constant, Has, In, Known, Not, Or, Ref, Term, Truth, Value, holds
from sop_engine.core.metrics import Metric
from sop_engine.core.project import Project, Settings
from sop_engine.core.tiers import Level, Tier
from sop_engine.language.truth import always, first_reached

pytestmark = pytest.mark.slow

SPEND = Ref("metric", "消费额", "number")
ORDERS = Ref("metric", "订单数", "number")
CITY = Ref("attribute", "城市", "text")
SEX = Ref("attribute", "性别", "words")
LEVEL = Ref("tier", "价值", "level")
DAY = Ref("attribute", "生日", "date")
TAG = Ref("tag", "投诉中", "flag")
PROJECT = Project(
    Settings("演示", "Asia/Shanghai"),
    attributes={"性别": Attribute("性别", "words", ("女", "男")), "城市": Attribute("城市", "text"), "生日": Attribute("生日", "date")},
    metrics={"消费额": Metric("消费额", "average", "number"), "订单数": Metric("订单数", "count", "number")},
    tiers={"价值": Tier("价值", (Level("高", Truth(TAG)), Level("低", Truth(TAG))))},
)

number = st.integers(-2, 5).map(Decimal) | st.sampled_from([Decimal("0.5"), Decimal("2.5")])
sign = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
numeric: st.SearchStrategy[Term] = st.sampled_from([SPEND, ORDERS, Arith("+", SPEND, ORDERS)])
day = st.dates(date(2025, 1, 1), date(2025, 1, 5))
leaf: st.SearchStrategy[Condition] = st.one_of(
    st.builds(Compare, sign, numeric, st.one_of(number.map(Constant), numeric)),
    st.builds(Compare, st.just("<="), number.map(Constant), numeric),
    st.builds(Compare, sign, st.just(DAY), day.map(Constant)),
    st.builds(Compare, st.sampled_from(["=", "!="]), st.just(CITY), st.sampled_from(["上海", "北京"]).map(Constant)),
    st.builds(In, st.just(SEX), st.sampled_from([("女",), ("女", "男")]), st.booleans()),
    st.builds(Compare, st.sampled_from(["=", "!="]), st.just(LEVEL), st.sampled_from(["高", "低"]).map(Constant)),
    st.builds(Has, st.just(CITY), st.sampled_from(["上", "京"]), st.booleans()),
    st.builds(Known, st.sampled_from([SPEND, CITY, LEVEL]), st.booleans()),
    st.just(Truth(TAG)),
)
condition: st.SearchStrategy[Condition] = st.recursive(
    leaf,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts))),
        inner.map(Not),
    ),
    max_leaves=6,
)
user: st.SearchStrategy[dict[str, Value | None]] = st.fixed_dictionaries(
    {
        "消费额": st.none() | number,
        "订单数": st.integers(0, 6).map(Decimal),
        "城市": st.sampled_from([None, "上海", "北京", "广州"]),
        "性别": st.sampled_from([None, "女", "男"]),
        "价值": st.sampled_from([None, "高", "低"]),
        "生日": st.none() | day,
        "投诉中": st.sampled_from([None, True, False]),
    }
)


@settings(max_examples=300, deadline=None)
@given(condition, st.lists(user, min_size=1, max_size=10))
def test_no_user_contradicts_what_is_called_always_or_never(asked: Condition, users: list[dict[str, Value | None]]) -> None:
    verdict = always(asked, PROJECT)
    assert verdict is None or all(holds(asked, facts) is verdict for facts in users)


@settings(max_examples=200, deadline=None)
@given(st.lists(condition, min_size=2, max_size=4), user)
def test_no_user_has_a_level_that_is_called_unreachable(rules: list[Condition], facts: dict[str, Value | None]) -> None:
    first = next((n for n, rule in enumerate(rules) if holds(rule, facts)), None)
    assert first is None or first in first_reached(rules, None, PROJECT)


def test_contradictions_and_tautologies_are_found() -> None:
    def order(op: str, value: str) -> Condition:
        return Compare(op, ORDERS, Constant(Decimal(value)))

    assert always(And((order(">", "3"), order("<", "3"))), PROJECT) is False
    assert always(And((order(">", "3"), order("<", "4"))), PROJECT) is False
    assert always(order(">=", "0"), PROJECT) is True
    assert always(Or((order("<", "3"), order(">=", "3"))), PROJECT) is True
    assert always(Or((Compare("<", SPEND, Constant(Decimal(3))), Compare(">=", SPEND, Constant(Decimal(3))))), PROJECT) is None
    assert always(And((Truth(TAG), Not(Truth(TAG)))), PROJECT) is False


def test_a_level_behind_a_wider_rule_is_never_reached() -> None:
    rules = [Compare(">=", SPEND, Constant(Decimal(1))), Compare(">=", SPEND, Constant(Decimal(2))), Not(Known(SPEND))]
    assert first_reached(rules, None, PROJECT) == {0, 2}
    assert first_reached(rules, Known(SPEND), PROJECT) == {0}
