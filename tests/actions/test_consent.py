"""What people refuse and allow, from the ledger to the last look: whoever comes first, whoever becomes one, whatever the address."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, select, text

from sop_engine.actions.part import merge_by_hand, undo
from sop_engine.actions.suppressing import keys_of
from sop_engine.core.consent import Standing
from sop_engine.core.errors import BadInput, DeliveryError
from sop_engine.store import consent, measuring, suppressions
from sop_engine.store.columns import table_of
from sop_engine.store.consent import Line
from sop_engine.store.consent_tables import SuppressionRow
from sop_engine.store.counting import Span
from sop_engine.store.people import get_id
from sop_engine.store.suppressions import Entry
from tests.actions.identity_shop import open_shop, two
from tests.shop import Shop
from tests.shop_project import CATALOGUE, Scripted

pytestmark = pytest.mark.slow

PHONE = "13800000001"
FLOW = "playbook: a\nintent: cultivate\nstart: {event: cart}\ngoal: joins\nagain: always\nsteps:\n"
STEPS = "  x: {after: 1h, send: hello}\n  y: {after: 1h, send: receipt}"


def begin(engine: Engine, steps: str = STEPS, **given: object) -> Shop:
    """A user who is about to get something at ten."""
    shop = Shop(engine, FLOW + steps, start="2025-03-01 10:00", **given)
    shop.user("u1", phone=PHONE, mail="a@example.com", mail_ok=True)
    shop.event("u1", "cart")
    return shop


def say(shop: Shop, state: str, word: str, user: str = "u1") -> bool:
    """The user says something now."""
    channel, _, topic = word.partition("/")
    with shop.app.work(shop.now) as work:
        return consent.record(work.tx, get_id(work.tx, user), Line(channel, topic or "*", state, shop.now, "test", "wording", "form 7"))


def stands(shop: Shop, user: str = "u1") -> tuple[frozenset[str], frozenset[str]]:
    """(refusals the SQL sees, refusals that follow from the ledger)."""
    with shop.app.transaction() as tx:
        one = get_id(tx, user)
        return consent.opt_outs_of(tx, [one]).get(one, frozenset()), consent.standing_of(tx, [one]).get(one, Standing()).refused


def test_a_refusal_of_marketing_on_a_channel_leaves_its_service_messages(engine: Engine) -> None:
    shop = begin(engine)
    say(shop, "withdrawn", "sms/marketing")
    shop.until("2025-03-01 13:00")
    assert sorted(shop.states()) == ["x:skipped:opted_out", "y:sent"]


def test_who_refused_everything_and_then_asked_for_one_channel_gets_that_one(engine: Engine) -> None:
    shop = begin(engine, "  x: {after: 1h, send: hello}\n  z: {after: 1h, send: hello_mail}")
    say(shop, "withdrawn", "*")
    shop.now += timedelta(minutes=1)
    say(shop, "granted", "sms")
    shop.until("2025-03-01 13:00")
    assert sorted(shop.states()) == ["x:sent", "z:skipped:opted_out"]


def test_the_refusals_sql_sees_follow_from_the_ledger_and_every_line_keeps_its_evidence(engine: Engine) -> None:
    shop = begin(engine)
    told = []
    for state, word in (
        ("withdrawn", "sms"), ("withdrawn", "sms"), ("granted", "sms"), ("withdrawn", "*/offer"), ("withdrawn", "*"),
        ("granted", "sms"), ("withdrawn", "*"), ("granted", "*"),
    ):  # fmt: skip
        shop.now += timedelta(minutes=1)
        told.append(say(shop, state, word))
        seen, derived = stands(shop)
        assert seen == derived
    assert told == [True, False, True, True, True, True, True, True]  # said twice is said once; permissions are evidence each time
    assert stands(shop)[0] == {"*/offer"}
    with shop.app.transaction() as tx:
        ledger = consent.ledger_of(tx, get_id(tx, "u1"))
    assert len(ledger) == 7
    assert {(line.source, line.wording, line.evidence) for line in ledger} == {("test", "wording", "form 7")}
    assert "form 7" not in repr(ledger)


def test_every_line_takes_a_turn_of_its_user(engine: Engine) -> None:
    shop = begin(engine)
    say(shop, "withdrawn", "sms")
    say(shop, "granted", "sms")
    with shop.app.transaction() as tx:
        turns = list(tx.execute(text("SELECT turn FROM consents ORDER BY id")).scalars())
        assert turns == sorted(set(turns))
        assert tx.execute(text("SELECT turn FROM users")).scalar_one() == turns[-1]


def test_m2_users_who_become_one_keep_the_strictest_and_both_keep_it_when_they_part(engine: Engine) -> None:
    shop = open_shop(engine)
    two(shop)
    say(shop, "granted", "sms", "a")
    say(shop, "withdrawn", "sms", "b")
    say(shop, "withdrawn", "mail/offer", "a")
    shop.now += timedelta(minutes=1)
    say(shop, "granted", "sms", "a")  # later than the other's refusal, and still another person's word
    with shop.app.work(shop.now) as work:
        made = merge_by_hand(work, "a", "b", by="test")
    assert stands(shop, "a") == ({"sms", "mail/offer"},) * 2
    shop.now += timedelta(minutes=1)
    with shop.app.work(shop.now) as work:
        undo(work, made.id, by="test")
    assert (stands(shop, "a"), stands(shop, "b")) == (({"sms", "mail/offer"},) * 2,) * 2


# addresses


def put(shop: Shop, kind: str, value: str, channel: str, reason: str, **how: str) -> bool:
    with shop.app.work(shop.now) as work:
        return suppressions.suppress(work.tx, keys_of(work)[0], Entry(kind, value, channel, reason, **how), shop.now)


def test_a_number_on_the_list_gets_no_marketing_from_any_user_who_has_it(engine: Engine) -> None:
    shop = begin(engine)
    shop.user("u2", phone=PHONE)
    shop.event("u2", "cart")
    assert put(shop, "phone", PHONE, "*", "manual")
    assert not put(shop, "phone", "+86" + PHONE, "*", "manual")
    shop.until("2025-03-01 13:00")
    assert sorted(shop.states()) == ["x:skipped:suppressed", "x:skipped:suppressed", "y:sent", "y:sent"]
    assert "hello: suppressed (manual)" in shop.touches("u1")[0].detail


def test_an_address_a_channel_cannot_reach_is_listed_and_another_of_the_same_person_is_not(engine: Engine) -> None:
    sms = Scripted([DeliveryError("user_unreachable", "bad_address")])
    shop = begin(
        engine, "  x: {after: 1h, send: hello}\n  y: {after: 2h, send: hello}\n  z: {at: day 2 10:00, send: hello}", channels={"sms": sms}
    )
    shop.until("2025-03-01 13:00")
    assert sorted(shop.states("u1")) == ["x:skipped:suppressed", "y:skipped:suppressed", "z:planned"]
    shop.set("u1", phone="13911112222")
    shop.until("2025-03-03 13:00")
    assert shop.sent("u1")[-1].startswith("z@")


def test_the_opposite_event_ends_what_it_ends_and_nothing_else(engine: Engine) -> None:
    shop = begin(engine)
    for reason, pair in (("blocked", ""), ("not_friend", "amy"), ("not_friend", "bob"), ("complained", "")):
        assert put(shop, "id", "wm1", "wecom", reason, pair=pair)
    with shop.app.work(shop.now) as work:
        assert suppressions.ended_by(work.tx, keys_of(work), ("id", "wm1"), "wecom", "connected", pair="amy") == 2
        assert suppressions.ended_by(work.tx, keys_of(work), ("id", "wm1"), "wecom", "delivered") == 0
        left = work.tx.execute(select(table_of(SuppressionRow).c.reason).order_by(table_of(SuppressionRow).c.reason)).scalars()
        assert list(left) == ["complained", "not_friend"]


def test_the_list_holds_no_address_and_takes_nothing_that_is_none(engine: Engine) -> None:
    shop = begin(engine)
    put(shop, "email", "a@example.com", "mail", "complained")
    with pytest.raises(BadInput, match="no address"):
        put(shop, "phone", "12345", "*", "manual")
    with pytest.raises(BadInput, match="reason"):
        put(shop, "phone", "13900001234", "*", "because")
    with shop.app.transaction() as tx:
        assert "example" not in str(tx.execute(select(table_of(SuppressionRow))).all())


def test_what_is_listed_for_a_time_ends_with_it(engine: Engine) -> None:
    shop = begin(engine)
    put(shop, "phone", PHONE, "sms", "manual", until=shop.at("2025-03-01 10:30"))
    shop.until("2025-03-01 13:00")
    assert sorted(shop.states()) == ["x:sent", "y:sent"]


def test_who_refuses_one_topic_is_no_one_who_left_and_who_refuses_promotion_is(engine: Engine) -> None:
    shop = begin(engine, "  x: {after: 1h, send: hello}")
    shop.until("2025-03-01 13:00")
    span = Span(shop.at("2025-03-01 00:00"), shop.at("2025-03-03 00:00"), 0, 0)
    counted = []
    for word in ("sms/offer", "mail/marketing", "sms/marketing"):
        say(shop, "withdrawn", word)
        with shop.app.transaction() as tx:
            counted.append(measuring.refusals(tx, span))
    assert counted == [[("sms", 1, 0)], [("sms", 1, 0)], [("sms", 1, 1)]]


def ruled(engine: Engine, rules: str) -> Shop:
    """A shop elsewhere with rules for people of China, and two of them, one abroad."""
    shop = Shop(engine, start="2025-03-01 10:00", project={"country": "GB"})
    shop.apply(FLOW + "  x: {after: 1h, send: hello}", catalogue=f"{CATALOGUE}---\nrules: {{{rules}}}\n")
    for user, phone in (("u1", PHONE), ("abroad", "+447700900123")):
        shop.user(user, phone=phone)
        shop.event(user, "cart")
    return shop


def test_silence_is_a_refusal_where_a_rule_asks_for_consent_and_a_permission_ends_it(engine: Engine) -> None:
    shop = ruled(engine, "asks: {when: {country: CN, purpose: marketing}, consent: explicit}")
    shop.until("2025-03-01 13:00")
    assert (shop.states("u1"), shop.states("abroad")) == (["x:skipped:no_consent"], ["x:sent"])
    say(shop, "granted", "sms/marketing")
    shop.event("u1", "cart")
    shop.until("2025-03-01 15:00")
    assert shop.states("u1")[-1] == "x:sent"


def test_a_written_text_that_breaks_a_rule_of_the_readers_country_is_not_sent(engine: Engine) -> None:
    shop = ruled(engine, "ends: {when: {channel: sms, country: CN}, must_end_with: reply R}")
    shop.until("2025-03-01 13:00")
    assert (shop.states("u1"), shop.states("abroad")) == (["x:skipped:render"], ["x:sent"])
    assert "ends: it must end with 'reply R'" in shop.touches("u1")[0].detail
