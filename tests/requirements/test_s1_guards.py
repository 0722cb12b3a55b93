"""The rows about misuse in a private domain: what `sop check` refuses or warns of, and what is held back when a message is due."""

import re

import pytest
from sqlalchemy import Engine

from sop_engine.core.matrix import matrix_of
from sop_engine.core.records import UserRecord
from tests.requirements.shops import HEAD, book, library, of_code, said_of
from tests.shop import Shop, keys
from tests.shop_project import text

TIER = """
tier: layer
note: why
levels:
  fresh: orders = 0
  awake: visits7 >= 1
  asleep: otherwise
mark: {fresh: new, asleep: silent}
"""
LIMITS = "valid: 7d, limit: 1 per 365d, budget: 100000 per 30d"
GIFTS = f"benefits:\n  small: {{pool: s, worth: 10, {LIMITS}}}\n  big: {{pool: b, worth: 80, {LIMITS}}}\n"


def layers(**levels: str) -> str:
    """A playbook on the tier: each level in the short form."""
    listed = "\n".join(f"  {level}: {{{flow}}}" for level, flow in levels.items())
    return f"playbook: layers\ntier: layer\ngoal: buys\nlevels:\n{listed}\n"


def gives(template: str, benefit: str, at: str = "now", intent: str = "cultivate") -> str:
    return f"intent: {intent}, steps: {{gift: {{at: {at}, send: {template}, give: {benefit}}}}}"


NEWCOMERS = gives("coupon", "small")


def test_s1_08_two_levels_that_get_the_same_are_warned_of() -> None:
    same = layers(fresh=NEWCOMERS, awake=gives("coupon", "small"), asleep="none: later")
    assert [s[:7] for s in of_code(said_of(TIER, GIFTS, same), 704)] == ["warning"]
    other = layers(fresh=NEWCOMERS, awake=gives("coupon", "big"), asleep="none: later")
    assert of_code(said_of(TIER, GIFTS, other), 704) == []


def test_s1_09_one_coupon_for_everybody_must_be_said_to_be_meant() -> None:
    start, step = "every: month day 28 10:00", "a: {at: now, send: coupon, give: big}"
    assert [told[:5] for told in of_code(said_of(GIFTS, book(start, step)), 605)] == ["error"]
    assert of_code(said_of(GIFTS, book(start, step, "only: everyone")), 605) == []


def test_s1_14_a_dearer_gift_for_the_lower_level_is_warned_of() -> None:
    upside_down = layers(fresh=NEWCOMERS, awake=gives("coupon", "small"), asleep=gives("hello_gift", "big", "day 2 10:00"))
    texts = {"hello_gift": text("hello_gift", "mail", variables="benefit.code: required", body="{{ benefit.code }}")}
    ladder = TIER.replace("mark: {fresh: new, asleep: silent}", "mark: {fresh: new}\nladder: [awake, asleep, fresh]")
    assert len(of_code(said_of(ladder, GIFTS, upside_down, texts=texts), 712)) == 1


def test_s1_14_a_level_whose_budget_is_spent_gives_no_more(memory: Engine) -> None:
    step = "intent: cultivate, budget: 25 per 30d, steps: {gift: {at: now, send: coupon, give: small}}"
    shop = Shop(memory, TIER, GIFTS, layers(fresh=step, awake="none: x", asleep="none: x"), start="2025-03-01 12:00")
    for key in keys(3):
        shop.user(key)
    shop.beat()
    assert [shop.skipped(key) for key in keys(3)] == [[], [], ["gift:budget"]]


@pytest.mark.parametrize(("dimensions", "found"), [(10, ["error 613"]), (9, ["warning 703"]), (6, ["warning 703"]), (5, [])])
def test_s1_15_ten_dimensions_are_an_error_and_six_a_warning(dimensions: int, found: list[str]) -> None:
    attributes = "attributes: {" + ", ".join(f"d{n}: number" for n in range(dimensions)) + "}\n"
    tier = "---\ntier: many\nnote: why\nlevels: {a: " + " and ".join(f"d{n} > 1" for n in range(dimensions)) + ", b: otherwise}\n"
    told = [f"{p.severity} {p.code[3:]}" for p in said_of(attributes + tier) if p.code in ("SOP613", "SOP703")]
    assert told == found


def test_s1_16_of_ten_tags_the_eight_that_nothing_reads_are_named() -> None:
    names = [f"t{n}" for n in range(10)]
    tags = "tags: {" + ", ".join(f"{name}: {{}}" for name in names) + "}\n"
    reader = "---\ntier: some\nnote: why\nlevels: {a: t0 or t1, b: otherwise}\n"
    told = " ".join(of_code(said_of(tags + reader), 711))
    assert re.findall(r"'(t\d)'", told) == names[2:]


def test_s1_17_a_model_is_one_readable_page_with_its_users() -> None:
    rows = matrix_of(library().tiers["三层"], library(), {"新客层": 12, "活跃层": 3, "沉默层": 25, "一般层": 7}).rows
    silent = next(row for row in rows if row.level == "沉默层")
    assert silent.users == 25
    assert "老客礼包加免邮" in " ".join(silent.cells.values())


def test_s1_18_a_playbook_that_forgets_a_level_is_an_error_that_names_it() -> None:
    [told] = of_code(said_of(TIER, GIFTS, layers(fresh=NEWCOMERS, awake="none: later")), 601)
    assert told.startswith("error") and "asleep" in told
    plain = layers(fresh="intent: cultivate, steps: {a: {at: now, send: hello}}", awake="none: x", asleep="none: x")
    assert [s[:5] for s in of_code(said_of(TIER, plain), 602)] == ["error"]


SALE = book("date: 2025-03-02 10:00", "a: {at: now, send: hello}", "only: everyone", intent="maintain")


def test_s1_20_of_a_hundred_the_twenty_silent_get_no_promotion(memory: Engine) -> None:
    tier = "tier: layer\nnote: why\nlevels: {asleep: vip, awake: otherwise}\nmark: {asleep: silent}\n"
    shop = Shop(memory, tier, SALE, start="2025-03-01 12:00", project={"primary_tier": "layer"})
    shop.users([UserRecord(key, shop.now, {"phone": f"1380000{n:04}"}) for n, key in enumerate(keys(100))])
    for key in list(keys(20)):
        shop.level_by_hand(key, "layer", "asleep")
    shop.until("2025-03-02 10:00")
    reasons = [t.reason for t in shop.touches()]
    assert (reasons.count("suppressed"), len(shop.sent())) == (20, 80)


def test_s1_21_a_new_level_must_be_welcomed_on_its_first_day() -> None:
    late = gives("coupon", "small", "day 3 10:00")
    assert [s[:5] for s in of_code(said_of(TIER, GIFTS, layers(fresh=late, awake="none: x", asleep="none: x")), 604)] == ["error"]
    assert of_code(said_of(TIER, GIFTS, layers(fresh=NEWCOMERS, awake="none: x", asleep="none: x")), 604) == []


@pytest.mark.parametrize(("due", "state"), [("2025-06-21", "sent"), ("2025-06-22", "skipped")])
def test_s1_23_twenty_one_days_without_activity_end_promotions_that_very_day(memory: Engine, due: str, state: str) -> None:
    sale = SALE.replace("2025-03-02", due)
    shop = Shop(memory, sale, start="2025-06-01 09:00", project={"stale_after": "21d"})
    shop.user("u")
    shop.event("u", "visit", at="2025-06-01 18:00")
    shop.until("2025-06-23 00:00")
    assert [(t.state, t.reason) for t in shop.touches()] == [(state, "stale" if state == "skipped" else None)]


def test_s1_26_a_refresh_older_than_its_month_and_five_days_holds_what_rests_on_it(memory: Engine) -> None:
    grades = "metrics:\n  grade: {grade: spent, cuts: median, names: [low, high], only: orders > 0}\n---\n"
    tier = "tier: worth\nnote: why\nonly: orders > 0\nlevels: {best: grade = high, rest: otherwise}\n"
    steps = "{a: {at: day 20 10:00, send: receipt}, b: {at: day 21 10:00, send: receipt}}"
    best = f"{{no_benefit: x, steps: {steps}}}"
    flow = f"playbook: w\ntier: worth\ngoal: joins\nintent: serve\nlate: 60d\nlevels: {{best: {best}, rest: {{none: x}}}}\n"
    shop = Shop(memory, "tags: {later: {}}\n", start="2025-05-01 03:00")
    spent = [("a", 10), ("b", 50)]
    shop.load_history(
        [UserRecord(key, shop.at("2025-04-01"), {"phone": "13800000000"}) for key, _ in spent],
        [shop.record(key, "order", "2025-04-02 10:00", {"order_id": key, "amount": amount}) for key, amount in spent],
    )
    shop.apply(grades + tier + "---\n" + flow)
    shop.event("a", "order", at="2025-05-16 12:00", order_id="c", amount=100)  # enters best: days 20 and 21 are 5 and 6 June
    for local in ("2025-06-05 11:00", "2025-06-06 11:00"):
        shop.jump(local)
        shop.deliver(shop.claim())  # nobody refreshed on 1 June
    assert [(t.step, t.state, t.reason) for t in shop.touches("a")] == [("a", "sent", None), ("b", "planned", "expired")]


def test_s1_34_under_a_small_profile_other_dimensions_are_refused() -> None:
    head = f"{HEAD}\nprofiles: {{startup: [city, orders]}}\nprofile: startup"
    tier = "tier: who\nnote: why\nlevels: {a: city = Paris and orders > 1, b: otherwise}\n"
    assert of_code(said_of(tier, head=head), 612) == []
    [told] = of_code(said_of(tier.replace("city = Paris", "name = Anna"), head=head), 612)
    assert told.startswith("error") and "'name'" in told and "startup" in told
    assert dict(library().settings.profiles)["startup"] == ("年龄", "城市", "近365天订单数", "近90天咨询优惠数")


def test_s1_59_every_step_says_when_and_every_text_where() -> None:
    untimed = layers(fresh="intent: cultivate, no_benefit: x, steps: {gift: {send: hello}}", awake="none: x", asleep="none: x")
    [found] = [p for p in said_of(TIER, untimed) if p.code == "SOP205"]
    assert (found.file, found.line) == ("playbooks/2.yml", 5) and "at, after, every" in found.sentence
    nowhere = said_of(texts={"hello": "---\ntemplate: hello\npurpose: service\n---\nhi\n"})
    assert [(p.code, p.file) for p in nowhere if p.severity == "error"] == [("SOP202", "templates/hello.md")]


def test_s1_81_a_level_to_which_nothing_happens_is_pointed_out() -> None:
    forgotten = book("enter: layer = awake", "a: {at: now, send: hello}")
    told = " ".join(of_code(said_of(TIER.split("mark:")[0], forgotten), 713))
    assert "'asleep'" in told and "'awake'" not in told
    empty = layers(fresh=NEWCOMERS, awake="none: x", asleep="intent: win_back")
    assert [s[:5] for s in of_code(said_of(TIER, GIFTS, empty), 202)] == ["error"]


def test_s1_82_a_text_without_one_personal_word_is_pointed_out() -> None:
    hello = book("event: cart", "a: {at: now, send: hello}")
    cold = [p for p in said_of(hello, texts={"hello": text("hello", "sms", body="hello")}) if p.code == "SOP709"]
    assert "templates/hello.md" in {p.file for p in cold}
    warm = said_of(hello, texts={"hello": text("hello", "sms", variables="name: friend", body="hello {{ name }}")})
    assert "templates/hello.md" not in {p.file for p in warm if p.code == "SOP709"}
