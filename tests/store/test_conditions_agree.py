"""A condition holds for the same users whether the database reads it or Python does, whatever is written and whatever is unknown."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from sop_engine.core.catalog import Attribute, Event, Field, Tag
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
    Term,
    Truth,
    Value,
    holds,
    value_of,
)
from sop_engine.core.forms import Length
from sop_engine.core.metrics import Metric
from sop_engine.core.models import ref_to
from sop_engine.core.project import Project, Settings
from sop_engine.core.records import EventRecord, UserRecord
from sop_engine.core.tiers import Level, Tier
from sop_engine.store import tags
from sop_engine.store.derived import is_always_whole
from sop_engine.store.engine import transaction
from sop_engine.store.expressions import is_whole
from sop_engine.store.facts import count_audience, read_facts, ref_of, select_audience
from sop_engine.store.scope import Scope
from tests.builders import at
from tests.store.population import fill, place_everybody

pytestmark = pytest.mark.slow

NOW = at("2025-06-30 12:00")
TODAY = date(2025, 6, 30)
WORDS = ("上海", "北京", "it's", 'a "b"', "100%", "a:b", "\\n")
LEVELS = ("高", "中", "低")


def number(name: str) -> Ref:
    return Ref("metric", name, "number")


PROJECT = Project(
    Settings("属性", "Asia/Shanghai"),
    attributes={
        "分": Attribute("分", "number"),
        "城市": Attribute("城市", "words", WORDS),
        "备注": Attribute("备注", "text"),
        "许可": Attribute("许可", "flag"),
        "生日": Attribute("生日", "date"),
    },
    events={"order": Event("order", {"amount": Field("amount", "number"), "note": Field("note", "text")})},
    metrics={
        "单数": Metric("单数", "count", "number", events=("order",)),
        "均价": Metric("均价", "average", "number", events=("order",), field="amount"),
        "频率": Metric("频率", "count", "number", events=("order",), within=Length(days=10), per=7),
        "首单": Metric("首单", "first", "date", events=("order",)),
        "年龄": Metric("年龄", "years_since", "number", of=("生日",)),
        "比": Metric("比", "value", "number", formula=Arith("/", number("均价"), number("单数"))),
    },
    tags={
        "老客": Tag("老客", when=Compare(">", number("单数"), Constant(Decimal(2)))),
        "体验官": Tag("体验官", keeps=3),
    },
    tiers={
        "档": Tier(
            "档",
            (
                Level("高", Compare(">=", number("比"), Constant(Decimal("3.3")))),
                Level("中", Truth(Ref("tag", "老客", "flag"))),
                Level("低", Known(Ref("attribute", "分", "number"))),
            ),
        ),
    },
)
NAMES = [*PROJECT.attributes, *PROJECT.metrics, *PROJECT.tags, *PROJECT.tiers, "档.before", "档.days", "joined", "id"]
REFS = [ref_of(PROJECT, name) for name in NAMES]


def of_kind(*kinds: str) -> st.SearchStrategy[Ref]:
    return st.sampled_from([r for r in REFS if r.kind in kinds])


numbers = st.one_of(
    st.integers(-20, 60).map(Decimal),
    st.integers(-9999, 99999).map(lambda n: Decimal(n) / 100),
    st.sampled_from([Decimal("0.000001"), Decimal("0.5"), Decimal("33.333333"), Decimal(100_000)]),
)
days = st.one_of(st.integers(-60, 5).map(lambda n: TODAY + timedelta(days=n)), st.dates(date(1950, 1, 1), date(2030, 1, 1)))
words = st.sampled_from((*WORDS, *LEVELS, "海", ""))
operators = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
terms: st.SearchStrategy[Term] = st.recursive(
    st.one_of(of_kind("number"), numbers.map(Constant)),
    lambda inner: st.one_of(st.builds(Arith, st.sampled_from("+-*/"), inner, inner), st.builds(Negative, inner)),
    max_leaves=5,
)
comparisons: st.SearchStrategy[Condition] = st.one_of(
    st.builds(Compare, operators, terms, terms),
    st.builds(Compare, operators, of_kind("date"), st.one_of(of_kind("date"), days.map(Constant))),
    st.builds(Compare, st.sampled_from(["=", "!="]), of_kind("text", "words", "level"), words.map(Constant)),
    st.builds(Compare, st.sampled_from(["=", "!="]), of_kind("flag"), st.one_of(of_kind("flag"), st.booleans().map(Constant))),
    st.builds(In, of_kind("text", "words", "level"), st.lists(words, min_size=1, max_size=3).map(tuple), st.booleans()),
    st.builds(In, of_kind("number"), st.lists(numbers, min_size=1, max_size=3).map(tuple), st.booleans()),
    st.builds(Has, of_kind("text"), words, st.booleans()),
    st.builds(Known, st.one_of(st.sampled_from(REFS), terms), st.booleans()),
    st.builds(Truth, of_kind("flag")),
    st.builds(Always, st.booleans()),
)
conditions: st.SearchStrategy[Condition] = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.lists(inner, min_size=2, max_size=3).map(tuple).map(And),
        st.lists(inner, min_size=2, max_size=3).map(tuple).map(Or),
    ),
    max_leaves=6,
)


def somebody(random: Random, key: str) -> UserRecord:
    """A user of whom some things are unknown."""
    possible: Mapping[str, Value] = {
        "分": Decimal(random.choice([0, -3, 7, 12.5, 33.333333, 100000])),
        "城市": random.choice(WORDS),
        "备注": random.choice(WORDS) + random.choice(WORDS),
        "许可": random.random() < 0.5,
        "生日": date(1960 + random.randrange(60), random.randrange(1, 13), random.choice([1, 28, 28])),
    }
    known = {name: value for name, value in possible.items() if random.random() < 0.7}
    return UserRecord(key, NOW - timedelta(days=random.randrange(40)), known)


def orders(random: Random, key: str) -> list[EventRecord]:
    """A user's orders, of which some have no amount."""
    found = []
    for i in range(random.choice([0, 0, 1, 2, 3, 7])):
        fields: dict[str, Value] = {"amount": Decimal(random.randrange(1, 9999)) / 100} if random.random() < 0.9 else {}
        found.append(EventRecord(f"{key}-{i}", key, "order", NOW - timedelta(days=random.randrange(40)), fields))
    return found


def test_the_database_and_python_find_the_same_users(engine: Engine) -> None:
    random = Random(7)
    users = [somebody(random, f"u{i}") for i in range(60)]
    with transaction(engine) as tx:
        ids = fill(tx, PROJECT, users, [e for u in users for e in orders(random, u.key)], NOW - timedelta(days=4))
        for user_id in list(ids.values())[::3]:
            tags.set_tag(tx, user_id, "体验官", NOW, until_day=TODAY.toordinal() - user_id % 2)
        place_everybody(tx, PROJECT, NOW - timedelta(days=4))
        place_everybody(tx, PROJECT, NOW)
        facts = read_facts(tx, PROJECT, NAMES, Scope.everybody(), NOW)
        assert len(facts) == len(users)

        @settings(max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(conditions)
        def agree(condition: Condition) -> None:
            expected = sorted(user for user, known in facts.items() if holds(condition, known))
            assert select_audience(tx, PROJECT, condition, NOW) == expected
            assert count_audience(tx, PROJECT, condition, NOW) == len(expected)

        agree()


def test_products_and_quotients_are_rounded_like_in_core_halves_up(engine: Engine) -> None:
    random = Random(2)
    halves = [Decimal(2 * random.randrange(-(10**n), 10**n) + 1) / 10**6 for n in (3, 5, 7, 9, 11) for _ in range(40)]
    halves += [Decimal("409146.93"), Decimal("5.835"), Decimal("0.1"), Decimal(0)]
    points = ref_of(PROJECT, "分")
    written = {"半": ("*", "0.5"), "积": ("*", "0.0055"), "商": ("/", "2"), "率": ("/", "46612.1")}
    formulas = {name: Arith(op, points, Constant(Decimal(number))) for name, (op, number) in written.items()}
    project = replace(PROJECT, metrics={n: Metric(n, "value", "number", formula=f) for n, f in formulas.items()}, tags={}, tiers={})
    with transaction(engine) as tx:
        ids = fill(tx, project, [UserRecord(f"u{i}", NOW, {"分": value}) for i, value in enumerate(halves)], [], NOW)
        facts = read_facts(tx, project, ["分", *formulas], Scope.everybody(), NOW)
    for i, value in enumerate(halves):
        known = facts[ids[f"u{i}"]]
        assert known["分"] == value
        assert {n: known[n] for n in formulas} == {n: value_of(f, known) for n, f in formulas.items()}


def test_an_audience_is_read_page_by_page_without_gaps_or_repeats(engine: Engine) -> None:
    chosen = Compare(">=", Ref("attribute", "分", "number"), Constant(Decimal(20)))
    with transaction(engine) as tx:
        ids = fill(tx, PROJECT, [UserRecord(f"u{i}", NOW, {"分": Decimal(i % 30)}) for i in range(90)], [], NOW)
        pages, after = [], 0
        while page := select_audience(tx, PROJECT, chosen, NOW, after_id=after, limit=4):
            pages.append(page)
            after = page[-1]
        assert [user for page in pages for user in page] == sorted(ids[f"u{i}"] for i in range(90) if i % 30 >= 20)
        assert {len(page) for page in pages[:-1]} == {4}


def test_every_name_is_read_as_a_value_of_its_kind(engine: Engine) -> None:
    kinds = {"number": Decimal, "date": date, "flag": bool}
    with transaction(engine) as tx:
        birthday = date(2000, 2, 29)
        known: dict[str, Value] = {"分": Decimal("12.5"), "城市": "上海", "备注": "it's", "许可": False, "生日": birthday}
        ids = fill(tx, PROJECT, [UserRecord("u", NOW, known)], [EventRecord("1", "u", "order", NOW, {"amount": Decimal("0.1")})], NOW)
        place_everybody(tx, PROJECT, NOW)
        read = read_facts(tx, PROJECT, NAMES, Scope.of(ids.values()), NOW)[ids["u"]]
    assert {name: value for name, value in read.items() if name in known} == known
    assert read["单数"] == 1 and read["均价"] == Decimal("0.1") and read["joined"] == TODAY and read["id"] == "u"
    assert (read["档"], read["档.before"], read["档.days"], read["年龄"]) == ("低", None, 0, 25)
    for name, value in read.items():
        assert value is None or isinstance(value, kinds.get(ref_of(PROJECT, name).kind, str)), name


def test_a_birthday_on_the_29th_of_february_is_on_the_28th_in_other_years(engine: Engine) -> None:
    ages = {}
    with transaction(engine) as tx:
        ids = fill(tx, PROJECT, [UserRecord("u", NOW, {"生日": date(2000, 2, 29)})], [], NOW)
        for day in ("2023-02-27", "2023-02-28", "2024-02-28", "2024-02-29"):
            ages[day] = read_facts(tx, PROJECT, ["年龄"], Scope.of(ids.values()), at(day))[ids["u"]]["年龄"]
    assert ages == {"2023-02-27": 22, "2023-02-28": 23, "2024-02-28": 23, "2024-02-29": 24}


def test_only_what_can_have_no_decimals_is_left_unrounded() -> None:
    whole, part = number("单数"), number("均价")
    two, half = Constant(Decimal(2)), Constant(Decimal("0.5"))
    assert is_always_whole(PROJECT, whole) and not is_always_whole(PROJECT, part) and not is_always_whole(PROJECT, number("频率"))
    for term, expected in {
        Arith("*", whole, Negative(two)): True,
        Arith("/", whole, two): False,
        Arith("+", whole, half): False,
        Arith("-", part, whole): False,
    }.items():
        assert is_whole(term, lambda ref: is_always_whole(PROJECT, ref)) is expected


def test_references_by_plain_name_are_typed() -> None:
    assert ref_to(PROJECT, "档") == ref_of(PROJECT, "档")
    assert ref_of(PROJECT, "档.days") == Ref("tier_days", "档", "number")
