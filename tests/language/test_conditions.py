"""Conditions: the tree they give, and what is said of those that do not read."""

from decimal import Decimal

import pytest

from sop_engine.core.catalog import Field
from sop_engine.core.conditions import (
    Always,
    And,
    Arith,
    Compare,
    Condition,
    Constant,
    Has,
    In,
    Known,
    Negative,
    Not,
    Or,
    Ref,
    Truth,
)
from sop_engine.core.errors import BadInput
from sop_engine.core.explain import text_of
from sop_engine.core.project import Project, Settings
from sop_engine.core.tiers import Level, Tier
from sop_engine.language.conditions import parse_audience, parse_condition, parse_formula
from sop_engine.language.names import Names, Symbol, built_in_names
from sop_engine.language.report import Place, Report
from sop_engine.language.scopes import Scope, event_scope, flow_scope, run_scope, user_scope
from sop_engine.language.source import Text

ORDERS = Ref("metric", "订单数", "number")
CITY = Ref("attribute", "城市", "text")
CONSENT = Ref("attribute", "短信许可", "flag")
LEVEL = Ref("tier", "分层", "level")
TAG = Ref("tag", "达人", "flag")
ZERO, ONE, TWO, THREE = (Constant(Decimal(n)) for n in range(4))


def names() -> Names:
    """A few names of every kind."""
    found = built_in_names()
    for name in ("订单数", "消费额"):
        found.symbols[name] = Symbol("metric", name, "number")
    found.symbols["城市"] = Symbol("attribute", "城市", "text")
    found.symbols["生日"] = Symbol("attribute", "生日", "date")
    found.symbols["等级"] = Symbol("attribute", "等级", "words", ("普通", "金卡"))
    found.symbols["短信许可"] = Symbol("attribute", "短信许可", "flag")
    found.symbols["达人"] = Symbol("tag", "达人", "flag")
    found.symbols["分层"] = Symbol("tier", "分层", "level", ("高", "低"))
    found.events["order"] = {"amount": Field("amount", "number"), "category": Field("category", "text")}
    found.events["visit"] = {"page": Field("page", "text")}
    return found


def read(text: str, scope: Scope | None = None) -> tuple[Condition | None, list[str]]:
    """The tree and what is said, each as column and sentence."""
    report = Report()
    tree = parse_condition(Text(text, Place("a", 1, 1)), scope or user_scope(names()), report)
    return tree, [f"{p.column} {p.code} {p.sentence}" for p in report.sorted()]


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("订单数 > 0", Compare(">", ORDERS, Constant(Decimal(0)))),
        ("订单数 ≥ 50%", Compare(">=", ORDERS, Constant(Decimal("0.5")))),
        ("订单数 ≠ -3", Compare("!=", ORDERS, Constant(Decimal(-3)))),
        ("短信许可", Truth(CONSENT)),
        ("not 短信许可", Not(Truth(CONSENT))),
        ("短信许可 = false", Not(Truth(CONSENT))),
        ("短信许可 != false", Truth(CONSENT)),
        ("达人", Truth(Ref("tag", "达人", "flag"))),
        ("城市 = 上海", Compare("=", CITY, Constant("上海"))),
        ('城市 = "达人"', Compare("=", CITY, Constant("达人"))),
        ('城市 != ""', Compare("!=", CITY, Constant(""))),
        ("城市 has 海", Has(CITY, "海")),
        ("城市 not has 海", Has(CITY, "海", negated=True)),
        ('城市 in (上海, "北 京")', In(CITY, ("上海", "北 京"))),
        ("订单数 in (1, 3)", In(ORDERS, (Decimal(1), Decimal(3)))),
        ("分层 not in (高, 低)", In(LEVEL, ("高", "低"), negated=True)),
        ("分层 = 高", Compare("=", LEVEL, Constant("高"))),
        ("分层.before = 高", Compare("=", Ref("tier_before", "分层", "level"), Constant("高"))),
        ("分层 != 分层.before", Compare("!=", LEVEL, Ref("tier_before", "分层", "level"))),
        ("分层.days >= 3", Compare(">=", Ref("tier_days", "分层", "number"), Constant(Decimal(3)))),
        ("分层 is unknown", Known(LEVEL, negated=True)),
        ("joined is known", Known(Ref("attribute", "joined", "date"))),
        ("true", Always(True)),
        ("false", Always(False)),
        ("订单数 > 0 and 短信许可 and 达人", And((Compare(">", ORDERS, ZERO), Truth(CONSENT), Truth(TAG)))),
        ("短信许可 or (达人 and 短信许可)", Or((Truth(CONSENT), And((Truth(TAG), Truth(CONSENT)))))),
        ("-订单数 < 1 + 2 * 3", Compare("<", Negative(ORDERS), Arith("+", ONE, Arith("*", TWO, THREE)))),
        ("订单数 - 1 - 2 = 0", Compare("=", Arith("-", Arith("-", ORDERS, ONE), TWO), ZERO)),
    ],
)
def test_a_condition_gives_this_tree(text: str, tree: Condition) -> None:
    assert read(text) == (tree, [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("订单数 > ", "5 SOP401 the condition stops too early."),
        ("订单数 == 0", "5 SOP401 write '=' instead of '=='."),
        ("订单数 ＞ 0", "5 SOP401 write '>' instead of '＞'."),
        ("订单数 ＞＝ 0", "5 SOP401 write '>=' instead of '＞＝'."),
        ("订单数 > 0 且 达人", "9 SOP401 write 'and' instead of '且'."),
        ("订单数 > 0且达人", "8 SOP401 write 'and' instead of '且'."),
        ("达人 || 短信许可", "4 SOP401 write 'or' instead of '||'."),
        ("达人 AND 短信许可", "4 SOP401 write 'and' instead of 'AND'."),
        ("（达人）", "1 SOP401 write '(' instead of '（'."),
        ("城市 = “上海”", "6 SOP401 write '\"' instead of '“'."),
        ("(达人", "1 SOP401 this bracket is not closed."),
        ("1 < 订单数 < 3", "9 SOP401 '<' cannot stand here: a comparison joins two things. Write 'a < b and b < c'."),
        ("达人 or 短信许可 and 达人", "7 SOP402 'and' and 'or' are mixed: put brackets around one of them."),
        ("订单术 > 1", "1 SOP403 there is no attribute, metric, tier or tag called '订单术'. Did you mean '订单数'?"),
        ("等级 = 银卡", "6 SOP404 '等级' has no word '银卡'. Did you mean '金卡'? It can be: 普通, 金卡."),
        ("分层 in (高, 中)", "11 SOP404 '分层' has no level '中'. It can be: 高, 低."),
        ("订单数 > 城市", "1 SOP405 cannot compare a number with text."),
        ("城市 > 上海", "1 SOP405 '>' needs numbers or dates, but this is text."),
        ("1 + 城市 > 2", "5 SOP405 '+' needs numbers, but this is text."),
        ("高 and 达人", "1 SOP406 a level is written with its model: 分层 = 高."),
        ("订单数 >= 30d", "8 SOP407 a number in a condition has no unit of time: write '30' instead of '30d'."),
        ("订单数", "1 SOP408 this is a number, not a condition. Compare it, as in '订单数 > 0'."),
        ("not 分层", "5 SOP408 this is a level, not a condition. Write '分层 = 高'."),
        ("生日 > 2025-02-30", "6 SOP401 '2025-02-30' is no day of the calendar."),
        ("(订单数 > 1) is known", "2 SOP405 only a value is known or unknown, not a condition."),
    ],
)
def test_a_mistake_is_said_once_at_its_column(text: str, said: str) -> None:
    assert read(text) == (None, [said])


ENDLESS = ["(" * 300 + "达人" + ")" * 300, "not " * 400 + "达人", "订单数" + " + 1" * 400 + " > 0", "达人 and " * 400 + "达人"]


@pytest.mark.parametrize("text", ENDLESS)
def test_a_condition_without_end_is_refused_kindly(text: str) -> None:
    tree, said = read(text)

    assert tree is None
    assert len(said) == 1 and " SOP401 this " in said[0]


def test_where_reads_the_fields_that_all_its_events_have() -> None:
    scope = event_scope(names(), ("order",))

    assert read("amount > 3 and hour >= 12 and actor = staff", scope)[1] == []
    assert read("订单数 > 3", scope)[1] == [
        "1 SOP403 'order' has no field '订单数'. It can be: amount, category, actor, source, date, hour, weekday."
    ]
    assert read("amount > 3", event_scope(names(), ("order", "visit")))[1] == [
        "1 SOP403 these events together have no field 'amount'. Did you mean 'actor'? It can be: actor, source, date, hour, weekday."
    ]


def test_only_of_a_flow_reads_the_event_that_starts_it() -> None:
    assert read("event.amount > 订单数", flow_scope(names(), ("order",)))[0] == Compare(">", Ref("event", "amount", "number"), ORDERS)
    assert read("event.amount > 1", flow_scope(names(), ()))[1] == [
        "1 SOP403 'event.amount' can be read only in 'only' of a flow that is started by an event."
    ]


def test_a_running_flow_reads_its_start_and_its_steps() -> None:
    scope = run_scope(names(), ("欢迎",))

    tree, said = read("订单数 > start.订单数 and not step.欢迎.opened and step.欢迎", scope)

    assert said == []
    assert tree == And(
        (
            Compare(">", ORDERS, Ref("start", "订单数", "number")),
            Not(Truth(Ref("step", "欢迎", "flag", "opened"))),
            Truth(Ref("step", "欢迎", "flag", "ran")),
        )
    )
    assert read("step.欢应.opened", scope)[1] == [
        "1 SOP403 there is no attribute, metric, tier or tag called 'step.欢应.opened'. Did you mean 'step.欢迎'?"
    ]
    assert read("step.欢迎")[1][0].startswith("1 SOP403 'step.欢迎' can be read only while a flow runs")


def test_a_formula_is_a_number() -> None:
    report = Report()

    assert parse_formula(Text("(订单数 - 1) / 2", Place("a", 1, 1)), user_scope(names()), report) == Arith(
        "/", Arith("-", ORDERS, Constant(Decimal(1))), Constant(Decimal(2))
    )
    assert parse_formula(Text("订单数 > 1", Place("a", 1, 1)), user_scope(names()), report) is None
    assert [p.sentence for p in report.sorted()] == ["'value' needs numbers, but this is a condition."]


def test_a_condition_written_back_reads_the_same() -> None:
    for text in ("订单数 >= 3 and not (城市 = 上海 or 达人)", "分层 in (高, 低) and 生日 < 2000-01-01", "(订单数 - 1) / 2 > 0.5"):
        tree, _ = read(text)
        assert tree is not None
        assert read(text_of(tree))[0] == tree


def test_an_audience_is_a_condition_about_a_project_that_is_loaded() -> None:
    project = Project(Settings("p", "UTC"), tiers={"分层": Tier("分层", (Level("高", Always()),))})

    assert parse_audience("分层 = 高", project) == Compare("=", LEVEL, Constant("高"))
    assert parse_audience("everyone", project) == Always()
    with pytest.raises(BadInput, match="column 6: '分层' has no level '中'"):
        parse_audience("分层 = 中", project)
