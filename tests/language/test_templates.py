"""Says that templates are read with every mistake at its place: each file of bad_templates ends with the lines it must print."""

from datetime import timedelta
from pathlib import Path

import pytest

from sop_engine.core.approval import Approval
from sop_engine.core.catalog import Attribute, Channel, Event, Field
from sop_engine.core.conditions import Always
from sop_engine.core.links import LinkRules
from sop_engine.core.metrics import Metric
from sop_engine.core.project import Project, Settings
from sop_engine.core.template import Template
from sop_engine.core.tiers import Level, Tier
from sop_engine.language.report import Report
from sop_engine.language.templates import read_templates

BAD = sorted((Path(__file__).parent / "bad_templates").glob("*.md"))
OURS = {
    *(101, 104, 201, 202, 203, 204, 206, 301, 302, 303),
    *(501, 502, 503, 505, 507, 508, 509, 510, 515, 521, 522, 523, 524, 526, 534, 535),
    *(708, 709, 716, 729, 732),
}
HOSTS = LinkRules(hosts=("example.com", "*.example.com"))
APPROVALS = {
    "SMS_1": Approval("approved"),
    "SMS_2": Approval("pending", "${name}，欢迎。", place="templates/approved.yml:5"),
    "SMS_3": Approval("approved", "${name}，这是您的\n第${n}单。", place="templates/approved.yml:8"),
}
WELCOME = "---\ntemplate: 欢迎_短信\nchannel: 短信\npurpose: service\nvariables:\n  昵称: 朋友\n---\n{{ 昵称 }}，欢迎。\n"


def catalogue() -> Project:
    """What templates may read, and where they may be sent."""
    attributes = [Attribute("昵称", "text"), Attribute("生日", "date"), Attribute("会员等级", "words", ("普通", "银卡"))]
    channels = [
        Channel("短信", "aliyun_sms", must_contain=("拒收请回复R",), max_length=140),
        Channel("腾讯短信", "tencent_sms"),
        Channel("企微", "wecom_customer"),
        Channel("推送", "webhook", max_length=40),
        Channel("顾问任务", "staff_task"),
        Channel("公众号", "oa_template"),
    ]
    return Project(
        Settings("演示", "Asia/Shanghai", content_types=("怀旧", "问候"), never_say=("沉默用户", "低价值", "流失风险"), links=HOSTS),
        approvals={"短信": APPROVALS},
        attributes={a.name: a for a in attributes},
        events={"order": Event("order", {"order_id": Field("order_id", "text"), "amount": Field("amount", "number")})},
        metrics={"累计订单数": Metric("累计订单数", "count", "number")},
        channels={c.name: c for c in channels},
        tiers={n: Tier(n, (Level("高", Always()),)) for n in ("RFM五档", "生命周期")},
    )


def read(*texts: tuple[str, str]) -> tuple[dict[str, dict[str, Template]], list[str]]:
    """The templates of these files, and every message."""
    report = Report({name: text.split("\n") for name, text in texts})
    found = read_templates(dict(texts), catalogue(), report)
    return found, [str(problem) for problem in report.sorted()]


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_a_bad_template_prints_exactly_the_lines_at_its_end(file: Path) -> None:
    text, _, expected = file.read_text("utf-8").partition("\n{# expected:\n")
    _, messages = read(("templates/欢迎_短信.md", WELCOME), (file.name, text))
    assert messages == expected.removesuffix("#}\n").splitlines()


def test_there_is_a_bad_template_for_every_code() -> None:
    expected = "".join(file.read_text("utf-8").partition("{# expected:")[2] for file in BAD)
    assert [code for code in sorted(OURS) if f" SOP{code}: " not in expected] == []


def test_a_good_template_is_read_whole_and_says_nothing() -> None:
    text = """---
template: 会员日_信
channel: 顾问任务
purpose: internal
content_type: 问候
locale: en
subject: Hello {{ 昵称 }}
due: 8h
note: 每月一次
provider_template: SMS_1
provider_vars:
  amount: event.amount
  name: 昵称
attachments:
  - image: https://example.com/a.png
links:
  会员日: https://example.com/day28
variables:
  昵称: there
  RFM五档: ""
  start.累计订单数: 0
  event.amount: required
---
{{ 昵称 }} {% if RFM五档 = 1 %}{% endif %}
""".replace("RFM五档 = 1", "RFM五档")
    found, messages = read(("templates/a.md", text + "{{ start.累计订单数 | number }} {{ event.amount | money }} {{ link.会员日 }}\n\n"))
    assert messages == []
    template = found["会员日_信"]["en"]
    assert template.uses == {"昵称", "RFM五档", "start.累计订单数", "event.amount", "link.会员日"}
    assert template.variables == (("昵称", "there"), ("RFM五档", ""), ("start.累计订单数", "0"), ("event.amount", None))
    assert template.required == {"event.amount"}
    assert template.provider_vars == (("amount", "{{ event.amount | money }}"), ("name", "{{ 昵称 }}"))
    assert (template.due, template.locale, template.subject) == (timedelta(hours=8), "en", "Hello {{ 昵称 }}")
    assert template.attachments == (("image", "https://example.com/a.png"),)
    assert template.links == (("会员日", "https://example.com/day28"),)
    assert template.body.endswith("{{ link.会员日 }}")
    assert template.place == "templates/a.md:2"


def test_a_quoted_required_is_a_word_and_not_a_demand() -> None:
    found, _ = read(("a.md", WELCOME.replace("昵称: 朋友", '昵称: "required"')))
    assert found["欢迎_短信"]["zh-CN"].variables == (("昵称", "required"),)


def test_another_language_is_a_variant_under_its_locale() -> None:
    english = WELCOME.replace("purpose: service", "purpose: service\nlocale: en").replace("，欢迎。", ", welcome.")
    found, messages = read(("a.md", WELCOME), ("b.md", english))
    assert messages == []
    assert {locale: template.body for locale, template in found["欢迎_短信"].items()} == {
        "zh-CN": "{{ 昵称 }}，欢迎。",
        "en": "{{ 昵称 }}, welcome.",
    }


def test_a_level_may_be_told_to_a_colleague() -> None:
    text = "---\ntemplate: 预警\nchannel: 顾问任务\npurpose: internal\nvariables:\n  RFM五档: 未知\n---\n跌到{{ RFM五档 }}，有流失风险。\n"
    assert read(("a.md", text))[1] == []


def test_a_long_value_at_tencent_is_allowed_with_a_reason() -> None:
    bad = (Path(__file__).parent / "bad_templates" / "729-tencent-length.md").read_text("utf-8").partition("{# expected")[0]
    allowed = bad.replace('生日: ""', '生日: ""    # allow SOP729: 老账号').replace("们\n", "们    # allow SOP729: 老账号\n")
    assert [line for line in read(("a.md", allowed))[1] if "SOP729" in line] == []


def test_an_approved_text_with_all_its_variables_says_nothing() -> None:
    text = WELCOME.replace("service\n", "service\nprovider_template: SMS_1\nprovider_vars:\n  name: 昵称\n")
    found, messages = read(("a.md", text))
    assert messages == []
    assert found["欢迎_短信"]["zh-CN"].provider_vars == (("name", "{{ 昵称 }}"),)


def test_a_release_from_before_the_rules_for_sms_is_still_read() -> None:
    text = WELCOME.replace("service\n", "service\nprovider_template: SMS_1\n").replace("欢迎。", "歡迎😀。")
    report = Report({"a.md": text.split("\n")})
    found = read_templates({"a.md": text}, catalogue(), report, released=True)
    assert (list(found), [str(p) for p in report.sorted()]) == (["欢迎_短信"], [])
    assert [line.split(": ")[1] for line in read(("a.md", text))[1]] == ["error SOP521", "error SOP523"]


def test_windows_line_ends_change_no_place() -> None:
    unix = read(("a.md", WELCOME.replace("{{ 昵称 }}", "\n{{ 妮称 }}")))[1]
    windows = read(("a.md", WELCOME.replace("{{ 昵称 }}", "\n{{ 妮称 }}").replace("\n", "\r\n")))[1]
    assert unix == windows
    assert unix[0].startswith("a.md:9:4: error SOP501")


def test_a_template_with_mistakes_is_still_known_by_its_name() -> None:
    found, messages = read(("a.md", WELCOME.replace("{{ 昵称 }}", "{{ 优惠码 }}{% for x in y %}{% endfor %}")))
    assert "欢迎_短信" in found
    assert len(messages) == 2


def test_the_longest_way_through_the_branches_counts() -> None:
    body = "{% if 昵称 %}" + "长" * 50 + "{% else %}短{% endif %}"
    text = f"---\ntemplate: 分支\nchannel: 推送\npurpose: service\nvariables:\n  昵称: 朋友\n---\n{body}\n"
    assert [line for line in read(("a.md", text))[1] if "SOP507" in line] == [
        "a.md:8:1: warning SOP507: this becomes about 50 characters long, and '推送' allows 40. Shorten it."
    ]
