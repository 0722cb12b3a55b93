"""Rules of law and platforms: the shipped set, what a project adds and changes, and texts that break them, each at its place."""

import pytest

from sop_engine.core.catalog import Attribute, Channel
from sop_engine.core.forms import Hours
from sop_engine.core.project import Project, Settings
from sop_engine.core.rules import ELSEWHERE, HEADERS, Rule, broken, country_of, overridden
from sop_engine.language.load import check
from sop_engine.language.rules_of import shipped
from sop_engine.language.vocabulary import SHIPPED_RULES

HEAD = """project: p
timezone: Asia/Shanghai
purchase: order.amount
activity: order
content_types: [offer]
{more}
---
attributes: {{phone: phone, mail: email, wx: text, age: number}}
events: {{order: {{amount: number}}}}
channels:
  text: {{via: aliyun_sms, to: phone}}
  post: {{via: email, to: mail}}
  fan: {{via: oa_template, to: wx}}
---
rules: {{{rules}}}
"""
GOOD = "---\ntemplate: {name}\nchannel: {channel}\npurpose: {purpose}\ncontent_type: offer\n{more}---\n{body}\n"


def told(
    *, more: str = "rules: cn", rules: str = "", channel: str = "text", purpose: str = "marketing", extra: str = "", body: str = ""
) -> list[str]:
    """The errors of a project with one text."""
    text = GOOD.format(name="t", channel=channel, purpose=purpose, more=extra, body=body)
    files = {"playbooks/a.yml": HEAD.format(more=more, rules=rules), "templates/t.md": text}
    return [str(p) for p in check(files).problems if p.severity == "error"]


def rules_in(rules: str, more: str = "rules: cn") -> dict[str, Rule]:
    """The rules in force, by id."""
    project = check({"playbooks/a.yml": HEAD.format(more=more, rules=rules)}).project
    assert project is not None
    return {rule.id: rule for rule in project.rules}


FINE = "【某品牌】老朋友，好久不见。拒收请回复R"


@pytest.mark.parametrize(
    ("given", "code", "says"),
    [
        ({"body": FINE}, 0, ""),
        ({"body": FINE + "{# for the carrier #}\n"}, 0, ""),
        ({"body": FINE + "谢谢"}, 520, "breaks the rule cn_sms_optout: it must end with '拒收请回复R'."),
        ({"body": "老朋友，好久不见。拒收请回复R"}, 531, "breaks the rule cn_sms_sign: it must begin with '【签名】'."),
        ({"body": "【】老朋友。拒收请回复R"}, 531, "cn_sms_sign"),
        ({"body": "【某品牌】已发货", "purpose": "service"}, 0, ""),
        ({"body": "已发货", "purpose": "service"}, 531, "cn_sms_sign"),
        ({"body": "hi {{ link.unsubscribe }}", "channel": "post", "extra": "subject: 新品\n"}, 532, "must begin with AD or 广告"),
        ({"body": "hi {{ link.unsubscribe }}", "channel": "post", "extra": "subject: 广告 新品\n"}, 0, ""),
        ({"body": "hi", "channel": "post", "extra": "subject: AD x\n"}, 533, "no visible way out. Write {{ link.unsubscribe }}"),
        ({"body": "hi", "channel": "post", "more": "country: GB"}, 533, "no visible way out"),
        ({"body": "hi", "channel": "post", "purpose": "service"}, 0, ""),
        ({"body": "hi", "more": "country: CN"}, 0, ""),  # no set of rules is in force
        ({"body": "hi", "more": "rules: cn\ncountry: GB"}, 0, ""),
        ({"body": "hi", "rules": "mine: {when: {channel: text}, must_end_with: '!'}", "more": "country: GB"}, 520, "the rule mine"),
        ({"body": FINE, "rules": "quiet: {when: {channel: sms}, purposes: [service]}"}, 610, "'text' carries service messages only"),
        ({"body": "hi", "rules": "out: {when: {channel: fan, purpose: marketing}, must_offer: opt_out}", "channel": "post",
          "purpose": "service"}, 0, ""),
        ({"body": FINE, "rules": "cn_sms_caps: {caps: 9 per 1d}"}, 620, "'cn_sms_caps' is a shipped rule."),
        ({"body": FINE, "rules": "cn_sms_caps: {override: ' ', off: true}"}, 620, "'cn_sms_caps' is a shipped rule."),
        ({"body": FINE, "rules": "cn_sms_caps: {override: x, off: true}", "more": "country: CN"}, 620, "overrides no rule"),
        ({"body": FINE, "rules": "cn_sms_hours: {override: x, hours: '07:30-21:00'}"}, 620, "reach beyond its 'never_outside'"),
        ({"body": FINE, "rules": "mine: {consent: perhaps}"}, 204, "'perhaps' is not possible here"),
        ({"body": FINE, "rules": "mine: {shout: true}"}, 201, "'shout' is not a key of a rule"),
        ({"body": FINE, "rules": "mine: {when: {moon: full}}"}, 201, "'moon' is not a key of 'when' of a rule"),
        ({"body": FINE, "more": "rules: mars"}, 204, "'mars' is not possible here"),
    ],
)  # fmt: skip
def test_a_text_or_a_rule_that_is_wrong_is_named_with_its_rule(given: dict[str, str], code: int, says: str) -> None:
    found = told(**given)
    assert [f"SOP{code}" in line and says in line for line in found] == ([True] if code else [])


def test_a_text_that_breaks_a_rule_is_named_where_it_begins() -> None:
    assert told(body="【某品牌】hi")[0].startswith("templates/t.md:2:")


def test_a_project_adds_rules_and_changes_one_only_with_a_reason() -> None:
    rules = rules_in("mine: {when: {channel: sms}, caps: 1 per 30d}, cn_consent: {override: asked for in the shop, consent: implied}")
    assert rules["mine"].caps[0].most == 1
    assert (rules["cn_consent"].consent, rules["cn_consent"].country, rules["cn_minor"].refuse_if) == ("implied", "CN", "minor")
    project = Project(Settings("p", "UTC"), rules=tuple(rules.values()))
    assert overridden(project) == [("cn_consent", "asked for in the shop")]


def test_without_asking_for_them_no_shipped_rule_is_in_force() -> None:
    assert rules_in("", more="country: CN") == {}
    assert len(rules_in("")) == len(shipped("cn")) == 9


@pytest.mark.parametrize("name", SHIPPED_RULES)
def test_what_is_shipped_asks_for_what_the_engine_does(name: str) -> None:
    rules = {rule.id: rule for rule in shipped(name)}
    assert all(set(rule.headers) <= set(HEADERS) for rule in rules.values())
    assert not any(rule.override or rule.off for rule in rules.values())
    assert rules["cn_sms_hours"].hours == Hours(9 * 60, 21 * 60)
    assert [str(limit.most) for limit in rules["cn_sms_caps"].caps] == ["1", "2", "4"]


def test_a_rule_about_sms_is_about_every_provider_and_one_by_name_about_that_channel() -> None:
    sms, mine = Rule("a", channel="sms"), Rule("b", channel="短信")
    channels = [Channel("短信", "aliyun_sms"), Channel("x", "tencent_sms"), Channel("短信", "outbox"), Channel("mail", "email")]
    assert [sms.about(c, "marketing") for c in channels] == [True, True, False, False]
    assert [mine.about(c, "marketing") for c in channels] == [True, False, True, False]


@pytest.mark.parametrize(
    ("phone", "country"),
    [("13800000001", "CN"), ("+85291234567", "HK"), ("+447700900123", "GB"), ("+99912345678", ELSEWHERE), ("nobody", "DE"), (None, "DE")],
)
def test_where_somebody_is_follows_from_the_phone_number_else_from_the_project(phone: str | None, country: str) -> None:
    project = Project(Settings("p", "UTC", country="DE"), attributes={"mail": Attribute("mail", "email"), "tel": Attribute("tel", "phone")})
    assert country_of(project, {"tel": phone, "mail": "a@example.com"}) == country


def test_a_written_text_is_asked_again() -> None:
    rule = Rule("r", must_end_with="R", must_start_with="【{sign}】")
    assert list(broken(rule, "", "【店】a R \n")) == ["it must begin with '【签名】'"]  # a sign has at least two characters
    assert list(broken(rule, "", "【小店】a")) == ["it must end with 'R'"]


@pytest.mark.parametrize(
    ("purpose", "extra", "body", "private"),
    [
        ("marketing", "variables: {phone: x}\n", "【小店】{{ phone }}", "phone"),
        ("service", "variables: {mail: x}\n", "【小店】{{ mail }}", "mail"),
        ("service", "links: {a: 'https://x.example/?m=a@example.com'}\n", "【小店】{{ link.a }}", "link.a"),
        ("service", "links: {a: 'https://x.example/?p=13900001234'}\n", "【小店】{{ link.a }}", "link.a"),
        ("service", "links: {a: 'https://x.example/139000012345'}\nvariables: {wx: x}\n", "【小店】{{ link.a }}{{ wx }}", ""),
        ("internal", "variables: {phone: x}\n", "{{ phone }}", ""),
    ],
)
def test_a_phone_number_or_mail_address_in_a_text_or_link_is_pointed_out(purpose: str, extra: str, body: str, private: str) -> None:
    text = GOOD.format(name="t", channel="text", purpose=purpose, more=extra, body=body)
    found = check({"playbooks/a.yml": HEAD.format(more="country: CN", rules=""), "templates/t.md": text}).problems
    assert [f"'t' writes {private}: " in p.sentence for p in found if p.code == "SOP731"] == ([True] if private else [])
