"""Says that a message is written strictly: nothing unknown, nothing unescaped, nothing from a value is ever read as a template."""

from datetime import date, datetime
from decimal import Decimal

import pytest

from sop_engine.core.conditions import Value
from sop_engine.core.template import Template
from sop_engine.rendering import LONGEST, MissingVariable, Rendered, RenderFailed, render


def written(body: str, values: dict[str, Value | None] | None = None, *, locale: str = "zh-CN", **variables: str | None) -> Rendered:
    """The body rendered; keywords are its variables with their fallbacks, None for required."""
    template = Template("问候", "短信", "marketing", body, variables=tuple(variables.items()))
    return render(template, values or {}, locale=locale)


def test_known_values_are_written_where_their_names_stand() -> None:
    values: dict[str, Value | None] = {"昵称": "小王", "benefit.code": "A1", "event.amount": Decimal("1200.01")}
    found = written("{{ 昵称 }}，{{ benefit.code }}，{{ event.amount | money }}", values)
    assert found == Rendered("", "小王，A1，¥1,200.01", ())


def test_an_unknown_value_becomes_its_fallback_and_is_named() -> None:
    assert written("{{ 昵称 }}你好", 昵称="朋友") == Rendered("", "朋友你好", ("昵称",))


def test_the_variables_of_a_provider_are_written_in_their_order_as_the_text_writes_them_fallbacks_too() -> None:
    named = (("2", "{{ event.amount | money }}"), ("1", "{{ 昵称 }}"))
    template = Template(
        "谢谢", "短信", "service", "{{ 昵称 }}付了{{ event.amount | money }}", variables=(("昵称", "朋友"),), provider_vars=named
    )
    found = render(template, {"event.amount": Decimal("1200.01")}, locale="zh-CN")
    assert (found.text, found.vars) == ("朋友付了¥1,200.01", (("2", "¥1,200.01"), ("1", "朋友")))


def test_a_required_value_that_is_unknown_stops_the_text_and_is_named() -> None:
    template = Template("券", "短信", "marketing", "{{ benefit.code }}", variables=(("benefit.code", None),))
    with pytest.raises(MissingVariable) as refused:
        render(template, {"benefit.code": None}, locale="zh-CN")
    assert refused.value.name == "benefit.code"


def test_a_name_that_is_listed_nowhere_stops_the_text() -> None:
    with pytest.raises(MissingVariable, match="妮称"):
        written("{{ 妮称 }}", {"昵称": "小王"}, 昵称="朋友")


def test_an_empty_fallback_leaves_the_value_unknown_for_if() -> None:
    body = "{% if 品类 %}常挑{{ 品类 }}{% else %}你好{% endif %}"
    assert written(body, 品类="").text == "你好"
    assert written(body, {"品类": "咖啡"}, 品类="").text == "常挑咖啡"


@pytest.mark.parametrize("sign", ["=" * 2, "!=", "<", "<=", ">", ">="])
def test_comparing_an_unknown_value_is_false_whatever_the_sign(sign: str) -> None:
    assert written("{% if 消费额 " + sign + " 500 %}是{% else %}否{% endif %}", 消费额="").text == "否"


def test_a_number_is_compared_and_a_fallback_number_too() -> None:
    body = "{% if 消费额 >= 500 and not 投诉中 %}高{% elif 消费额 > 100 %}中{% else %}低{% endif %}"
    assert written(body, {"消费额": Decimal(500), "投诉中": False}).text == "高"
    assert written(body, {"投诉中": True}, 消费额="300").text == "中"
    assert written(body, {"投诉中": True}, 消费额="0").text == "低"


def test_a_comparison_that_makes_no_sense_is_refused_and_not_guessed() -> None:
    with pytest.raises(RenderFailed):
        written("{% if 昵称 > 500 %}高{% endif %}", {"昵称": "小王"})


CHINESE = {
    "event.amount | money": "¥1,200.01",
    "整数 | money": "¥20",
    "负数 | money": "-¥3.50",
    "粉丝数 | number": "12,000",
    "概率 | percent": "62.5%",
    "日子 | date": "2025年3月4日",
    "日子": "2025年3月4日",
    "时刻 | time": "14:05",
    "天数 | weeks": "10 周 0 天",
    "长 | short(4)": "一二三…",
    "长 | short": "一二三四五六",
    "许可": "是",
    "概率": "0.625",
    "整数": "20",
}
ENGLISH = {
    "日子 | date": "4 March 2025",
    "天数 | weeks": "10 weeks 0 days",
    "八 | weeks": "1 week 1 day",
    "许可": "yes",
    "event.amount | money": "¥1,200.01",
}
VALUES: dict[str, Value | None] = {
    "event.amount": Decimal("1200.01"),
    "整数": Decimal("20.00"),
    "负数": Decimal("-3.5"),
    "粉丝数": Decimal(12000),
    "概率": Decimal("0.625"),
    "日子": date(2025, 3, 4),
    "时刻": datetime(2025, 3, 4, 14, 5),
    "天数": Decimal(70),
    "八": Decimal(8),
    "长": "一二三四五六",
    "许可": True,
}


@pytest.mark.parametrize(("expression", "text"), CHINESE.items())
def test_values_are_written_as_a_chinese_reader_expects(expression: str, text: str) -> None:
    assert written(f"{{{{ {expression} }}}}", VALUES).text == text


@pytest.mark.parametrize(("expression", "text"), ENGLISH.items())
def test_values_are_written_as_an_english_reader_expects(expression: str, text: str) -> None:
    assert written(f"{{{{ {expression} }}}}", VALUES, locale="en").text == text


def test_money_is_written_in_the_currency_of_the_project() -> None:
    template = Template("价", "短信", "marketing", "{{ 价 | money }}")
    assert render(template, {"价": Decimal(5)}, locale="en", currency="USD").text == "$5"
    assert render(template, {"价": Decimal(5)}, locale="en", currency="SGD").text == "SGD 5"


@pytest.mark.parametrize("name", ["money", "number", "percent", "date", "time", "weeks", "short"])
def test_a_filter_writes_a_fallback_text_as_it_is(name: str) -> None:
    assert written(f"{{{{ 值 | {name} }}}}", 值="未知").text == "未知"


def test_a_template_inside_a_value_is_only_text() -> None:
    attack = "{{ 7 * 7 }}{% for x in y %}{{ benefit.code }}{% endfor %}"
    assert written("{{ 昵称 }}", {"昵称": attack, "benefit.code": "SECRET"}).text == attack


ESCAPES = [
    "{{ ''.__class__.__mro__ }}",
    "{{ 昵称.__class__.__mro__ }}",
    "{{ 昵称['__class__'] }}",
    "{{ 昵称 | attr('__class__') }}",
    "{{ 昵称.upper() }}",
    "{{ self }}{{ self._TemplateReference__context }}",
    "{{ range(10) }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ lipsum.__globals__ }}",
    "{{ namespace() }}",
    "{{ 9 ** 9 ** 9 }}",
    "{{ 'x' * 1000000000 }}",
    "{{ 昵称 | map('upper') }}",
    "{{ '%s' | format(昵称) }}",
    "{% set x = 1 %}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{% macro m() %}{{ m() }}{% endmacro %}",
    "{% filter upper %}x{% endfilter %}",
    "{% if 昵称 is defined %}x{% endif %}",
    "{{ 昵称 if 昵称 else 1 }}",
]


@pytest.mark.parametrize("body", ESCAPES)
def test_nothing_but_names_filters_and_if_is_ever_compiled(body: str) -> None:
    with pytest.raises((RenderFailed, MissingVariable)):
        written(body, {"昵称": "小王"})


def test_an_attribute_of_a_value_is_never_read() -> None:
    with pytest.raises(MissingVariable, match="__class__"):
        written("{{ 昵称.__class__ }}", {"昵称": "小王"})


def test_a_template_that_would_loop_for_ever_cannot_be_written_at_all() -> None:
    with pytest.raises(RenderFailed, match="'for' cannot be used"):
        written("{% for x in 名单 recursive %}{{ loop(名单) }}{% endfor %}", {"名单": "无尽"})


def test_a_text_that_is_no_template_says_so() -> None:
    with pytest.raises(RenderFailed, match="cannot be read"):
        written("{% if 昵称 %}没有结尾")


def test_endless_nesting_is_refused_and_does_not_break_the_process() -> None:
    depth = 3000
    with pytest.raises(RenderFailed):
        written("{% if 昵称 %}" * depth + "{% endif %}" * depth, {"昵称": "x"})


def test_values_and_texts_have_a_longest_length() -> None:
    with pytest.raises(RenderFailed, match="昵称"):
        written("{{ 昵称 }}", {"昵称": "字" * (LONGEST + 1)})
    with pytest.raises(RenderFailed, match="longer"):
        written("{{ 昵称 }}{{ 昵称 }}", {"昵称": "字" * LONGEST})


def test_html_is_escaped_in_values_and_not_in_the_text_itself() -> None:
    template = Template("信", "邮件", "marketing", "<b>{{ 昵称 }}</b>", subject="{{ 昵称 }} & 我们")
    found = render(template, {"昵称": "<script>&'\""}, locale="zh-CN", html=True)
    assert found.text == "<b>&lt;script&gt;&amp;&#39;&#34;</b>"
    assert found.subject == "<script>&'\" & 我们"


def test_a_fallback_is_escaped_like_a_value() -> None:
    template = Template("信", "邮件", "marketing", "{{ 昵称 }}", variables=(("昵称", "<朋友>"),))
    assert render(template, {}, locale="zh-CN", html=True).text == "&lt;朋友&gt;"


def test_a_subject_stays_one_line_whatever_a_value_holds() -> None:
    template = Template("信", "邮件", "marketing", "正文", subject="你好 {{ 昵称 }}")
    assert render(template, {"昵称": "小王\r\nBcc: all@example.com"}, locale="zh-CN").subject == "你好 小王 Bcc: all@example.com"


def test_links_come_from_the_links_that_are_handed_in() -> None:
    template = Template("信", "邮件", "marketing", "看 {{ link.手册 }}")
    assert render(template, {}, locale="zh-CN", links={"手册": "https://example.com/1"}).text == "看 https://example.com/1"
    with pytest.raises(MissingVariable, match=r"link\.手册"):
        render(template, {"link.手册": "https://elsewhere.example"}, locale="zh-CN")


def test_names_are_compared_in_one_unicode_form() -> None:
    assert written("{{ ＶＩＰ价 }}", {"VIP价": Decimal(9)}).text == "9"


def test_a_comment_in_a_template_is_not_sent() -> None:
    assert written("你好{# 内部备注 #}").text == "你好"
