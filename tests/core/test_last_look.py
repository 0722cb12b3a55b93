"""The last look before a send: the first no in the order of the language gives the reason; waits are no refusals."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from sop_engine.core.catalog import Attribute, Channel
from sop_engine.core.conditions import Always, Ref
from sop_engine.core.forms import Hours, Length, Limit, Moment
from sop_engine.core.guard import Defer, Send, Sent, Situation, Skip, look
from sop_engine.core.playbook import Choice, Flow, Start, Step
from sop_engine.core.project import Project, Settings
from sop_engine.core.rules import Rule
from sop_engine.core.template import Template
from sop_engine.core.tiers import Level, Tier

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2025, 3, 1, 4, tzinfo=UTC)  # noon in Shanghai
YES, NO = Always(), Always(value=False)
DAY = Length(days=1)
SMS, MAIL = Channel("sms", "outbox", "phone"), Channel("mail", "outbox", "mail")
STAGE = Tier("stage", (Level("silent", YES, mark="silent"), Level("awake", YES)))
STEP = Step("s", send=Choice((("", ("hi",)),)), when=YES)


def project(sms: Channel = SMS, **settings: object) -> Project:
    """A project with three texts."""
    texts = [
        Template("hi", "sms", "marketing", "hi"),
        Template("letter", "mail", "marketing", "hi"),
        Template("bill", "sms", "service", "hi"),
    ]
    return Project(
        Settings("p", "Asia/Shanghai", **settings),
        channels={"sms": sms, "mail": MAIL},
        templates={t.name: {"zh-CN": t} for t in texts},
        tiers={"stage": STAGE},
    )


def situation(**changes: object) -> Situation:
    """A touch that may be sent, but for the changes."""
    flow = Flow("f", "f", "cultivate", Start("event"), (STEP,))
    usual = Situation(project(), flow, STEP, NOW, ZONE, {"phone": "138", "mail": "a@b"}, NOW + timedelta(hours=24))
    return replace(usual, **changes)


def set_up(s: Situation, **settings: object) -> Situation:
    """The situation in a project with other settings beside those it has."""
    return replace(s, project=replace(s.project, settings=replace(s.project.settings, **settings)))


def channel(s: Situation, **changes: object) -> Situation:
    """The situation with another SMS channel."""
    changed = replace(s.project.channels["sms"], **changes)
    return replace(s, project=replace(s.project, channels={**s.project.channels, "sms": changed}))


def ruled(s: Situation, rule: Rule) -> Situation:
    """The situation in a project with one more rule."""
    return replace(s, project=replace(s.project, rules=(*s.project.rules, rule)))


def required(s: Situation) -> Situation:
    """The text needs a name that nobody knows."""
    text = replace(s.project.templates["hi"]["zh-CN"], variables=(("name", None),))
    return replace(s, project=replace(s.project, templates={**s.project.templates, "hi": {"zh-CN": text}}))


ORDER: list[tuple[str, Callable[[Situation], Situation]]] = [
    ("ended", lambda s: replace(s, run_open=False)),
    ("late", lambda s: replace(s, late_at=NOW - timedelta(seconds=1))),
    ("when", lambda s: replace(s, step=replace(s.step, when=NO))),
    ("excluded", lambda s: set_up(s, only=NO)),
    ("suppressed", lambda s: replace(set_up(s, primary_tier="stage"), level="silent")),
    ("stale", lambda s: replace(set_up(s, stale_after=Length(days=21)), quiet_days=21)),
    ("suppressed", lambda s: replace(s, suppressed=lambda _channel, _address: [("marketing", "complained")])),
    ("opted_out", lambda s: replace(s, opted_out=frozenset({"sms"}))),
    ("no_consent", lambda s: ruled(s, Rule("asks", purpose="marketing", consent="explicit"))),
    ("minor", lambda s: set_up(ruled(s, Rule("adults", purpose="marketing", refuse_if="minor")), minor=YES)),
    ("no_channel", lambda s: replace(s, facts={})),
    ("needs", lambda s: channel(s, needs=NO)),
    ("unknown", required),
    ("paused", lambda s: replace(s, paused=True)),
    ("expired", lambda s: replace(s, expired=True)),
    ("hours", lambda s: set_up(s, hours=Hours(13 * 60, 14 * 60))),
    ("handoff", lambda s: replace(s, handed_off=True)),
    ("cap", lambda s: replace(set_up(s, caps=(Limit(Decimal(1), DAY),)), sent=[Sent(NOW, NOW.toordinal(), "sms")])),
    ("ceiling", lambda s: replace(s, sent=[Sent(NOW, NOW.toordinal(), "sms")] * 5)),
]


@pytest.mark.parametrize("first", range(len(ORDER)), ids=[reason for reason, _ in ORDER])
def test_of_all_that_forbids_a_send_the_first_in_the_order_of_the_language_is_the_reason(first: int) -> None:
    s = situation()
    for _, spoil in ORDER[first:]:
        s = spoil(s)
    found = look(s)
    assert isinstance(found, Skip | Defer)
    assert found.reason == ORDER[first][0]


@pytest.mark.parametrize(("reason", "spoil"), ORDER, ids=[reason for reason, _ in ORDER])
def test_each_alone_is_enough_and_without_any_it_is_sent(reason: str, spoil: Callable[[Situation], Situation]) -> None:
    found = look(spoil(situation()))
    assert isinstance(found, Skip | Defer)
    assert found.reason == reason
    sent = look(situation())
    assert isinstance(sent, Send)
    assert (sent.template, sent.channel, sent.address) == (project().templates["hi"]["zh-CN"], SMS, "138")


SERVICE = replace(STEP, send=Choice((("", ("bill",)),)))
PASSES = {"no_consent", "minor", "excluded", "suppressed", "stale", "hours", "cap", "ceiling"}


@pytest.mark.parametrize(
    ("reason", "spoil"), [pair for pair in ORDER if pair[0] not in ("when", "unknown")], ids=lambda v: v if isinstance(v, str) else ""
)
def test_a_service_message_passes_what_is_for_marketing_only(reason: str, spoil: Callable[[Situation], Situation]) -> None:
    found = look(spoil(situation(step=SERVICE)))
    assert isinstance(found, Send) is (reason in PASSES)


def test_a_service_message_minds_only_what_is_listed_for_all_messages_and_a_task_for_a_colleague_nothing() -> None:
    for_all = situation(step=SERVICE, suppressed=lambda channel, address: [("all", f"{channel.name} {address}")])
    assert look(for_all) == Skip("suppressed", "bill: suppressed (sms 138)")
    internal = replace(for_all.project.templates["bill"]["zh-CN"], purpose="internal")
    project_ = replace(for_all.project, templates={**for_all.project.templates, "bill": {"zh-CN": internal}})
    assert isinstance(look(replace(for_all, project=project_, opted_out=frozenset({"*", "sms"}))), Send)


def test_an_address_that_is_listed_is_left_alone_and_the_next_channel_tried() -> None:
    both = replace(STEP, send=Choice((("", ("hi", "letter")),)))
    found = look(situation(step=both, suppressed=lambda channel, _: [("all", "bad_address")] if channel.name == "sms" else []))
    assert isinstance(found, Send)
    assert found.channel == MAIL


def test_a_refusal_of_one_topic_leaves_the_others_and_a_narrower_permission_stands() -> None:
    about = replace(project().templates["hi"]["zh-CN"], content_type="offers")
    s = situation()
    s = replace(s, project=replace(s.project, templates={**s.project.templates, "hi": {"zh-CN": about}}))
    reasons = [
        getattr(look(replace(s, opted_out=frozenset(refused), agreed=frozenset(agreed))), "reason", "")
        for refused, agreed in (
            ({"sms/offers"}, ()), ({"*/offers"}, ()), ({"sms/news"}, ()), ({"mail"}, ()), ({"sms/marketing"}, ()),
            ({"*"}, {"sms"}), ({"*"}, {"sms/offers"}), ({"*"}, {"sms/news"}), ({"sms/offers"}, {"sms"}),
        )
    ]  # fmt: skip
    assert reasons == ["opted_out", "opted_out", "", "", "opted_out", "", "", "opted_out", "opted_out"]


def test_where_consent_must_be_explicit_silence_and_another_topic_are_none() -> None:
    asked = ruled(situation(), Rule("asks", channel="sms", consent="explicit"))
    assert look(asked) == Skip("no_consent", "hi: no_consent (asks)")
    given = [isinstance(look(replace(asked, agreed=frozenset({word}))), Send) for word in ("sms", "*", "sms/marketing", "mail", "sms/x")]
    assert given == [True, True, True, False, False]
    assert isinstance(look(replace(asked, silence_agrees=True)), Send)


@pytest.mark.parametrize(
    ("phone", "country", "sent"),
    [("13800000001", "CN", False), ("13800000001", "GB", False), ("+447700900123", "CN", True), ("", "CN", False)],
)
def test_a_rule_of_a_country_goes_by_the_phone_number_and_else_by_the_project(phone: str, country: str, sent: bool) -> None:
    s = ruled(situation(facts={"tel": phone, "phone": "138"}), Rule("cn", country="CN", consent="explicit"))
    s = set_up(replace(s, project=replace(s.project, attributes={"tel": Attribute("tel", "phone")})), country=country)
    assert isinstance(look(s), Send) is sent


def test_hours_and_caps_of_a_rule_bind_marketing_and_a_rule_that_is_off_nothing() -> None:
    night = Rule("night", channel="sms", purpose="marketing", hours=Hours(13 * 60, 14 * 60), caps=(Limit(Decimal(1), Length(days=30)),))
    found = look(ruled(situation(), night))
    assert isinstance(found, Defer)
    assert (found.reason, found.until) == ("hours", NOW + timedelta(hours=1))
    before = [Sent(NOW - timedelta(days=20), (NOW - timedelta(days=20)).toordinal(), "sms")]
    capped = look(ruled(situation(sent=before, now=NOW + timedelta(hours=1)), night))
    assert isinstance(capped, Defer)
    assert capped.reason == "cap"
    assert isinstance(look(ruled(situation(), replace(night, off=True))), Send)
    assert isinstance(look(ruled(situation(step=SERVICE), night)), Send)


def test_a_win_back_flow_reaches_the_silent_and_the_stale() -> None:
    flow = replace(situation().flow, intent="win_back")
    s = replace(set_up(situation(flow=flow), primary_tier="stage", stale_after=Length(days=21)), level="silent", quiet_days=90)
    assert isinstance(look(s), Send)


@pytest.mark.parametrize("kind", ["goal", "end"])
def test_a_step_at_the_goal_or_the_end_outlives_the_run(kind: str) -> None:
    assert isinstance(look(situation(run_open=False, step=replace(STEP, at=Moment(kind)))), Send)


def test_all_marketing_refused_leaves_service_and_one_channel_refused_stops_both() -> None:
    everything, one = frozenset({"*"}), frozenset({"sms"})
    assert look(situation(opted_out=everything)) == Skip("opted_out", "hi: opted_out")
    assert isinstance(look(situation(opted_out=everything, step=SERVICE)), Send)
    assert isinstance(look(situation(opted_out=one, step=SERVICE)), Skip)
    assert isinstance(look(situation(opted_out=frozenset({"mail"}))), Send)


def test_the_list_is_tried_in_order_and_the_last_reason_is_given_with_all_of_them_told() -> None:
    both = replace(STEP, send=Choice((("", ("hi", "letter")),)))
    found = look(situation(step=both, opted_out=frozenset({"sms"})))
    assert isinstance(found, Send)
    assert found.channel == MAIL
    assert look(situation(step=both, facts={"phone": "1"}, opted_out=frozenset({"sms"}))) == Skip(
        "no_channel", "hi: opted_out; letter: no_channel (mail is unknown)"
    )
    written = look(situation(step=both, tried={"hi": Skip("too_long", "99 characters")}))
    assert isinstance(written, Send)
    assert written.channel == MAIL


def test_a_touch_that_waited_too_long_is_skipped_with_what_it_waited_for() -> None:
    late = {"late_at": NOW - timedelta(seconds=1)}
    assert look(situation(**late, waited_for="cap")) == Skip("cap")
    assert look(situation(**late, waited_for="throttled")) == Skip("late")
    assert isinstance(look(situation(late_at=NOW)), Send)


def test_hours_and_caps_say_when_to_look_again() -> None:
    assert look(set_up(situation(), hours=Hours(13 * 60, 14 * 60))) == Defer("hours", NOW + timedelta(hours=1))
    capped = replace(set_up(situation(), caps=(Limit(Decimal(1), DAY),)), sent=[Sent(NOW, NOW.toordinal(), "sms")])
    assert look(capped) == Defer("cap", datetime(2025, 3, 2, 9, tzinfo=ZONE).astimezone(UTC))
    hourly = set_up(capped, caps=(Limit(Decimal(1), Length(exact=timedelta(hours=48))),))
    assert look(hourly) == Defer("cap", NOW + timedelta(hours=1))


def test_hours_that_never_open_together_end_the_wait_when_it_is_too_late() -> None:
    s = channel(set_up(situation(), hours=Hours(9 * 60, 10 * 60)), hours=Hours(20 * 60, 21 * 60))
    assert look(s) == Defer("hours", s.late_at + timedelta(seconds=1))


@pytest.mark.parametrize(("sent", "rivals", "found"), [(0, 0, Send), (0, 1, Send), (1, 0, Send), (1, 1, Defer), (2, 0, Defer)])
def test_a_touch_gives_way_only_if_the_cap_has_no_room_for_both(sent: int, rivals: int, found: type) -> None:
    s = replace(set_up(situation(), caps=(Limit(Decimal(2), DAY),)), sent=[Sent(NOW, NOW.toordinal(), "sms")] * sent, rivals=rivals)
    assert isinstance(look(s), found)


def test_a_choice_takes_the_word_then_otherwise_then_nothing() -> None:
    city = Ref("attribute", "city", "words")
    words = Choice((("Paris", ("letter",)), ("otherwise", ("hi",))), by="city")
    step = replace(STEP, send=words, by=city)
    facts = {"phone": "1", "mail": "2"}
    chosen = [look(situation(step=step, facts={**facts, "city": word})) for word in ("Paris", "Rome", None)]
    assert [c.template.name for c in chosen if isinstance(c, Send) and c.template] == ["letter", "hi", "hi"]
    only = replace(step, send=Choice((("Paris", ("letter",)),), by="city"))
    assert [getattr(look(situation(step=only, facts={**facts, "city": w})), "reason", "") for w in ("Rome", None)] == [
        "no_choice",
        "no_choice",
    ]
