"""Every shipped text can be written for every golden user: whole, short enough, warm, and never naming a level."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from functools import cache

import pytest

from sop_engine.core.catalog import Benefit
from sop_engine.core.conditions import Value
from sop_engine.core.playbook import Flow, Step
from sop_engine.core.sms import sms_parts
from sop_engine.core.template import Template
from sop_engine.core.wording import forbidden_words, offer_words
from sop_engine.rendering import MissingVariable, Rendered, render
from sop_engine.store.engine import open_engine, transaction
from sop_engine.store.facts import read_facts
from sop_engine.store.migrate import upgrade
from sop_engine.store.scope import Scope
from tests.golden.population import golden_users
from tests.shipped.library import mapped_tiers, shipped, texts
from tests.store.population import fill, fit_everything, place_everybody

pytestmark = pytest.mark.slow

SIGNATURE, REFUSE = "【某品牌】", "拒收请回复R"
OUTSIDE = ("benefit", "event", "start", "link", "alert", "report")
BLANK = re.compile(r"None|unknown|\{|\}|[，。：；、][，。：；、]|^[，。：；、]|[（「][）」]|[ ]{2}|¥(?!\d)|满减|至。|码[，。]|-\d+ ?天")
GIVEN: dict[str, Value | None] = {"昵称": "欧阳小暖", "城市": "上海", "职业": "教师", "来源渠道": "门店", "最爱内容": "手冲教程"}
FIRST_DAY_AGO, CYCLE = (1, 8, 14, 15, 27, 60, 90, 120, 150, 180, 210, 240, 294), 28
EXAMPLES: Mapping[str, Value] = {
    "event.amount": Decimal("1200.01"), "event.category": "护肤", "event.text": "什么时候到货？" * 10, "event.kind": "送错货",
    "event.link": "https://example.com/p/1",
    "alert.name": "预算", "alert.value": "81%", "alert.before": "40%", "report.name": "分层周报", "report.link": "https://example.com/r/1",
}  # fmt: skip


@cache
def facts() -> dict[str, Mapping[str, Value | None]]:
    """What the shipped project knows of each golden user, on the day of the file."""
    golden = golden_users()
    names = sorted({n for t in texts() for n in t.uses if n.split(".")[0] not in OUTSIDE})
    engine = open_engine("sqlite://")
    upgrade(engine)
    with transaction(engine) as tx:
        ids = fill(tx, shipped(), golden.users, golden.events, golden.clock)
        fit_everything(tx, shipped(), golden.clock)
        place_everybody(tx, shipped(), golden.clock)
        found = read_facts(tx, shipped(), names, Scope.of(ids.values()), golden.clock)
    engine.dispose()
    return {key: found[user_id] for key, user_id in ids.items()}


def senders(template: Template) -> Iterator[tuple[Flow, Step]]:
    for flow in shipped().flows.values():
        for step in flow.steps:
            if step.send and template.name in step.send.names():
                yield flow, step


def benefits_with(template: Template) -> list[Benefit | None]:
    """What may be given with the text; None alone where nothing is."""
    named = {name for _, step in senders(template) if step.give for name in step.give.names()}
    named |= {spare for name in named if (spare := shipped().benefits[name].if_empty)}
    return [shipped().benefits[name] for name in sorted(named)] or [None]


def outside(benefit: Benefit | None) -> dict[str, Value | None]:
    values: dict[str, Value | None] = dict(EXAMPLES)
    if benefit is not None:
        values |= {"benefit.name": benefit.name, "benefit.code": "K7M2Q9XW4TBA", "benefit.expires": date(2025, 12, 31)}
        values |= {"benefit.worth": benefit.worth or None, "benefit.min_spend": benefit.min_spend}
    return values


def write(template: Template, values: Mapping[str, Value | None]) -> Rendered:
    links = {**dict(template.links), "unsubscribe": "https://example.com/u/1"}
    return render(template, values, locale=template.locale, links=links)


def told(template: Template) -> list[Mapping[str, Value | None]]:
    """What only an import knows: nothing, the usual, and with each day of a cycle or a pregnancy where the text reads one."""
    names = ("距末次经期天数", "距下次经期", "距排卵天数", "预产倒计时")
    counted = [dict(zip(names, map(Decimal, (ago, CYCLE - ago, CYCLE - 14 - ago, 280 - ago)), strict=True)) for ago in FIRST_DAY_AGO]
    return [{}, GIVEN, *({**GIVEN, **days} for days in counted if days.keys() & template.uses)]


def written(template: Template) -> Iterator[str]:
    """The text for every golden user, with and without what only an import knows, with each benefit; missing values are named."""
    for known in facts().values():
        for more in told(template):
            for benefit in benefits_with(template):
                values = {**known, **more, **outside(benefit)}
                try:
                    yield write(template, values).text
                except MissingVariable as missing:
                    assert missing.name in template.required
                    assert values.get(missing.name) is None


def for_users() -> list[Template]:
    return [template for template in texts() if template.purpose != "internal"]


@pytest.mark.parametrize("template", texts(), ids=lambda t: t.name)
def test_the_text_is_whole_for_every_golden_user_or_says_what_is_missing(template: Template) -> None:
    found = list(written(template))
    assert len(found) >= len(facts())
    assert [text for text in found if not text.strip() or BLANK.search(text)] == []


@pytest.mark.parametrize("template", [t for t in texts() if t.required], ids=lambda t: t.name)
def test_a_required_value_that_is_unknown_is_named_and_nothing_is_written(template: Template) -> None:
    complete = {**dict.fromkeys(template.uses, "x"), **GIVEN, **outside(shipped().benefits["新客首单券"])}
    for name in sorted(template.required):
        with pytest.raises(MissingVariable) as missing:
            write(template, {**complete, name: None})
        assert missing.value.name == name


@pytest.mark.parametrize("template", for_users(), ids=lambda t: t.name)
def test_a_text_never_tells_its_reader_their_level(template: Template) -> None:
    levels = {level for tier in mapped_tiers() for level in shipped().tiers[tier].level_names}
    words = [*levels, *mapped_tiers(), *shipped().settings.never_say]
    assert [found for text in written(template) for found in forbidden_words(text, words)] == []
    assert not template.uses & set(shipped().tiers)


@pytest.mark.parametrize("template", [t for t in texts() if t.channel == "短信"], ids=lambda t: t.name)
def test_an_sms_is_one_part_signed_and_can_be_refused(template: Template) -> None:
    for text in written(template):
        assert sms_parts(text) == 1, (len(text), text)
        assert text.startswith(SIGNATURE)
        assert text.endswith(REFUSE) or template.purpose == "service"


@pytest.mark.parametrize("template", [t for t in for_users() if shipped().channels[t.channel].max_length], ids=lambda t: t.name)
def test_a_text_fits_its_channel(template: Template) -> None:
    assert max(map(len, written(template))) <= (shipped().channels[template.channel].max_length or 0)


@pytest.mark.parametrize("template", for_users(), ids=lambda t: t.name)
def test_a_text_calls_its_reader_by_name_or_knows_something_of_them(template: Template) -> None:
    assert {n for n in template.uses if n.split(".")[0] not in ("benefit", "link")}


@pytest.mark.parametrize("template", [t for t in for_users() if t.channel == "短信"], ids=lambda t: t.name)
def test_whoever_has_no_sms_gets_the_same_another_way(template: Template) -> None:
    """Each step that sends an SMS has a second channel in the same list."""
    for flow, step in senders(template):
        lists = [names for _, names in step.send.options if template.name in names] if step.send else []
        assert all(len({shipped().template(n, None).channel for n in names}) > 1 for names in lists), (flow.id, step.name)


def test_the_first_word_to_somebody_silent_is_no_offer_where_the_flow_promises_none() -> None:
    sent = [t for t in for_users() if "怀旧" in t.name or any(flow.no_benefit for flow, _ in senders(t))]
    assert sent
    assert [t.name for t in sent if offer_words(t.body)] == []


def test_no_two_templates_say_the_same() -> None:
    bodies = [t.body for t in texts()]
    assert len(set(bodies)) == len(bodies)
