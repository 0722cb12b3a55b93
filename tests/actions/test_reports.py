"""What is in a report, figure by figure, on both databases: the rows of the requirements with their own numbers."""

import pytest
from sqlalchemy import Engine

from sop_engine.actions.reporting import SHOWS
from sop_engine.core.reports.words import SHOWN
from sop_engine.language.vocabulary import SHOWS as WORDS
from tests.actions.report_shop import Stored, rows, shop_of, tables
from tests.shop import keys

pytestmark = pytest.mark.slow


def test_s0_25_the_monthly_review_names_who_fell_who_rose_and_who_is_promising(engine: Engine) -> None:
    shop = shop_of(engine)
    stored = Stored(shop)
    stored.users(["u1", "u2", "stays"])
    stored.users(["u3", "quiet"], "2025-06-10 10:00")
    stored.users([f"x{n}" for n in range(10)])
    stored.levels(["u1", "stays"], "core")
    stored.levels(["u2"], "plain")
    stored.levels(["u3", "quiet"], "silent", "2025-06-10 10:00")
    stored.levels(["u1"], "silent", "2025-06-20 10:00", old="core")
    stored.levels(["u2"], "core", "2025-06-21 10:00", old="plain")
    stored.events("visit", [("u3", f"2025-06-1{n} 10:00", {"page": "a"}) for n in (1, 2, 3)])
    stored.events("visit", [("quiet", "2025-06-12 10:00", {}), ("quiet", "2025-06-13 10:00", {})])
    stored.events("say", [("u3", "2025-06-14 10:00", {"text": "nice"})])
    found = tables(shop, "moves", "lists")
    assert found["fell"].rows == (("u1", "core", "silent", "2025-06-20"),)
    assert found["rose"].rows == (("u2", "plain", "core", "2025-06-21"),)
    assert found["promising"].rows == (("u3", "2025-06-10", 4, "silent", "interactions >= 3"),)
    assert (("core", "silent", 1) in found["moves"].rows, ("plain", "core", 1) in found["moves"].rows) == (True, True)


def test_who_is_new_and_in_the_best_levels_is_promising_without_interactions(engine: Engine) -> None:
    stored = Stored(shop_of(engine))
    stored.levels(stored.users(keys(9, "old")), "silent")
    stored.levels(stored.users(["new"], "2025-06-10 10:00"), "core", "2025-06-10 10:00")
    assert tables(stored.shop, "lists")["promising"].rows == (("new", "2025-06-10", 0, "core", "core"),)


def test_s0_27_of_500_users_the_30_who_interact_most_are_listed_with_what_they_like_and_said(engine: Engine) -> None:
    stored = Stored(shop_of(engine))
    stored.users(keys(500))
    stored.levels(["u1"], "plain")
    told = [(f"u{n}", f"2025-06-{10 + n % 10} 10:00", {"page": "news"}) for n in range(1, 501)]
    told += [(f"u{n}", "2025-06-25 10:00", {"page": "shoes"}) for n in range(1, 41) for _ in range(50 - n)]
    told += [("u500", "2025-05-30 10:00", {"page": "old"})] * 100  # before the 30 days
    stored.events("visit", told)
    stored.events(
        "say",
        [("u1", "2025-06-26 10:00", {"text": "where is my parcel"}), ("u1", "2025-06-27 10:00", {"text": "call 138 0000 1111 or a@b.cn"})],
    )
    found = rows(tables(stored.shop, "lists")["top_engaged"])
    assert [row["user"] for row in found] == [f"u{n}" for n in range(1, 31)]
    assert found[0] == {"user": "u1", "interactions": 52, "depth": 2, "favourite": "shoes", "quiet": 3, "last_said": "call ••• or •••"}
    assert found[1] == {"user": "u2", "interactions": 49, "depth": 1, "favourite": "shoes", "quiet": 5, "last_said": ""}


def test_s1_74_the_funnel_counts_distinct_users_with_stage_and_overall_rates(engine: Engine) -> None:
    stored = Stored(shop_of(engine))
    users = stored.users(keys(100))
    stored.levels(users, "plain")
    stored.touches(users, "2025-06-10 10:00", came={"sent": 98, "delivered": 95, "opened": 40, "clicked": 20}, converted=8)
    stored.touches(users[:1], "2025-06-20 10:00", came={"opened": 1, "clicked": 1}, converted=1)  # the same user once more
    stored.touches(users[:1], "2025-07-01 10:00", converted=1)  # after the period
    [row] = rows(tables(stored.shop, "funnel", of="offer")["funnel"])
    assert [row[name] for name in ("flow", "step", "level", "variant")] == ["offer", "ask", "plain", ""]
    stages = ("planned", "sent", "delivered", "opened", "clicked", "converted")
    assert [row[name] for name in stages] == [100, 98, 95, 40, 20, 8]
    rates = [row[f"{name}_rate"] for name in stages[1:]]
    assert rates == [0.98, round(95 / 98, 6), round(40 / 95, 6), 0.5, 0.4] and row["overall"] == 0.08


def test_where_a_channel_tells_of_no_openings_the_stage_is_not_known_and_the_next_is_held_against_the_one_before(engine: Engine) -> None:
    stored = Stored(shop_of(engine))
    stored.touches(stored.users(keys(10)), "2025-06-10 10:00", came={"clicked": 5}, converted=1)
    [row] = rows(tables(stored.shop, "funnel", of="offer", by=("playbook",))["funnel"])
    assert (row["opened"], row["opened_rate"], row["clicked_rate"], row["converted_rate"]) == (None, None, 0.5, 0.2)


def test_s2_18_the_share_that_reaches_the_decisive_moment_and_the_median_days(engine: Engine) -> None:
    stored = Stored(shop_of(engine))
    users = stored.users(keys(100), "2025-06-10 10:00")
    stored.users(["young"], "2025-06-28 10:00")  # seven days are not over
    stored.events("order", [(user, f"2025-06-{10 + n % 4} 12:00", {"order_id": user, "amount": 5}) for n, user in enumerate(users[:40])])
    stored.events("order", [(user, "2025-06-18 12:00", {"order_id": user, "amount": 5}) for user in users[40:50]])  # on the eighth day
    found = {row["goal"]: row for row in rows(tables(stored.shop, "funnel")["reached"])}
    assert found["aha"] == {"goal": "aha", "within": 7, "users": 100, "converted": 40, "share": 0.4, "median": 1.5}


@pytest.mark.parametrize(("opened", "symptoms"), [(40, [("low_open_rate", "push 4.0%")]), (50, [])])
def test_s1_01_openings_below_five_percent_are_a_symptom_and_who_blocks_is_told_by_level(
    engine: Engine, opened: int, symptoms: list[tuple[str, str]]
) -> None:
    stored = Stored(shop_of(engine))
    users = stored.users(keys(1000))
    stored.levels(users[:100], "core")
    stored.levels(users[100:], "plain")
    stored.touches(users, "2025-06-10 10:00", came={"opened": opened})
    stored.refused([*users[:9], *users[-3:]], "2025-06-11 10:00")
    orders = [(user, f"2025-06-1{n} 12:00", {"order_id": f"{user}{n}", "amount": 30}) for user in users[:2] for n in (2, 3)]
    stored.events("order", [*orders, ("u3", "2025-06-12 12:00", {"order_id": "x", "amount": 40})])
    found = tables(stored.shop, "health")
    assert list(found["health"].notes) == symptoms
    core = rows(found["by_level"])[0]
    assert (core["level"], core["blocked"], core["blocked_share"]) == ("core", 9, 0.75)
    assert list(found["by_level"].notes) == [("blocks", "core blocks 75%")]
    assert (core["gmv"], core["buyers"], core["again"], core["repurchase"]) == (160.0, 3, 2, round(2 / 3, 6))
    assert sum(row["delivered"] for row in rows(found["by_level"])) == 1000


def test_s1_01_openings_of_a_channel_that_tells_of_none_are_not_known_and_no_symptom(engine: Engine) -> None:
    stored = Stored(shop_of(engine))
    stored.touches(stored.users(keys(40)), "2025-06-10 10:00")
    found = tables(stored.shop, "health")["health"]
    assert found.rows == (("push", 40, None, 0, None),) and list(found.notes) == [("no_opens", "push")]


def test_s1_01_it_is_a_symptom_when_the_same_few_do_almost_everything(engine: Engine) -> None:
    stored = Stored(shop_of(engine))
    users = stored.users(keys(10))
    few = [(user, f"2025-06-{n} 10:00", {}) for user in users[:2] for n in range(10, 26)]
    stored.events("visit", [*few, *((user, "2025-06-10 10:00", {}) for user in users[2:])])
    found = tables(stored.shop, "health")["concentration"]
    assert found.rows == ((10, 40, 0.8),) and list(found.notes) == [("concentrated", "80%")]


def test_s1_04_the_cost_of_a_conversion_and_how_many_of_the_best_level_stayed(engine: Engine) -> None:
    stored = Stored(shop_of(engine))
    users = stored.users(keys(100))
    stored.levels(users[:10], "core")
    stored.levels(users[:1], "silent", "2025-06-15 10:00", old="core")
    stored.touches(users, "2025-06-10 10:00", cost=2, converted=20)
    found = tables(stored.shop, "cost")
    assert rows(found["by_flow"]) == [{"flow": "offer", "intent": "cultivate", "cost": 200.0, "conversions": 20, "per_conversion": 10.0}]
    assert found["by_intent"].rows == (("cultivate", 200.0, 20, 10.0),)
    assert rows(found["kept"]) == [{"level": "core", "before": 10, "stayed": 9, "rate": 0.9}]


def test_s1_13_who_got_nothing_is_counted_by_level_and_a_message_to_another_level_is_found(engine: Engine) -> None:
    stored = Stored(shop_of(engine))
    users = stored.users(keys(4))
    stored.levels(users, "core")
    stored.levels(["u2"], "silent", "2025-06-09 10:00", old="core")
    stored.touches(["u1", "u2"], "2025-06-10 10:00", flow="care/core", step="hi")
    found = tables(stored.shop, "coverage")
    assert {row["level"]: (row["users"], row["without"]) for row in rows(found["untouched"])} == {
        "core": (3, 2), "plain": (0, 0), "silent": (1, 0),
    }  # fmt: skip
    assert (found["undue"].rows, list(found["undue"].notes)) == ((("care/core", 2, 1),), [("undue", "1")])


def test_s1_13_a_level_that_changes_after_the_message_was_planned_cancels_it_and_nothing_is_undue(engine: Engine) -> None:
    shop = shop_of(engine, start="2025-06-10 09:00")
    shop.user("u")
    shop.set("u", vip=True)
    shop.until("2025-06-10 12:00")
    shop.set("u", vip=False)
    shop.until("2025-06-20 09:00")
    assert (shop.states("u"), shop.ends("u")) == (["hi:sent", "later:cancelled:ended"], ["left"])
    found = tables(shop, "coverage")["undue"]
    assert (found.rows, found.notes) == ((("care/core", 1, 0),), ())


def test_s1_22_who_was_surveyed_and_given_nothing_within_30_days_is_listed(engine: Engine) -> None:
    stored = Stored(shop_of(engine))
    users = stored.users(["nothing", "given", "late", "never_asked"])
    stored.levels(users, "plain")
    stored.events("survey", [(user, "2025-06-01 10:00", {}) for user in users[:3]])
    stored.given(["given"], "2025-06-20 10:00")
    stored.given(["late"], "2025-07-01 10:00")
    assert tables(stored.shop, "health")["surveyed"].rows == ()  # the 30 days are not over on 30 June
    found = tables(stored.shop, "health", last="2025-07-01")["surveyed"]
    assert found.rows == (("late", "2025-06-01"), ("nothing", "2025-06-01"))


def test_s2_66_the_ring_has_four_rates(engine: Engine) -> None:
    stored = Stored(shop_of(engine))
    users = stored.users(keys(1000), "2025-06-02 10:00")
    stored.events("order", [(user, "2025-06-05 12:00", {"order_id": user, "amount": 5}) for user in users[:120]])
    stored.events("visit", [(user, "2025-06-05 18:00", {}) for user in users[:120]])  # the same day is no coming back
    stored.events("visit", [(user, "2025-06-09 12:00", {}) for user in users[:60]])
    stored.events("register", [(users[-1 - n], "2025-06-10 12:00", {"inviter": users[n % 15]}) for n in range(30)])
    found = tables(stored.shop, "ring")
    assert [row["users"] for row in rows(found["ring"])] == [1000, 120, 60, 15]
    assert [row["rate"] for row in rows(found["ring"])] == [None, 0.12, 0.5, 0.25]
    assert found["brought"].rows == ((30, 2.0),)


def test_s2_66_the_latency_is_measured_from_what_the_user_did_over_the_level_to_the_message(engine: Engine) -> None:
    late = "playbook: late\ntier: worth\nlevels:\n  plain:\n    intent: serve\n    no_benefit: x\n    goal: {event: visit, within: 7d}\n"
    late += "    steps: {hi: {after: 20m, send: hello_push}}\n  core: {none: x}\n  silent: {none: x}\n"
    shop = shop_of(engine, late, start="2025-06-10 09:00")
    for key in ("a", "b"):
        shop.user(key)
        shop.event(key, "order", order_id=key, amount=5)
    shop.until("2025-06-11 09:00")
    assert tables(shop, "ring")["latency"].rows == ((2, 20.0),)


def test_x_07_the_four_meanings_of_80_20_are_four_figures_of_their_own(engine: Engine) -> None:
    stored = Stored(shop_of(engine))
    users = stored.users(keys(10))
    stored.levels(users[:3], "core")
    stored.levels(users[3:], "plain")
    stored.touches(users[:2], "2025-06-10 10:00", level="core", cost=30)
    stored.touches(users[3:7], "2025-06-10 10:00", cost=10)
    revenue = (500, 300, 50, 40, 30, 25, 20, 15, 10, 10)
    stored.events("order", [(u, "2025-06-12 12:00", {"order_id": u, "amount": n}) for u, n in zip(users, revenue, strict=True)])
    found = tables(stored.shop, "pareto", "cost", "coverage", "shares")
    assert rows(found["pareto"])[0]["top_share"] == 0.8  # of revenue, from the best fifth of buyers
    assert rows(found["by_level"])[0]["resources"] == 0.6  # of what was spent, on the best level
    assert rows(found["untouched"])[0]["share"] == round(1 / 3, 6)  # of the best level, without any care
    assert rows(found["shares"])[0]["share"] == 0.3  # of everybody, at the top of the pyramid


def test_tasks_are_counted_and_users_of_the_best_level_whom_nobody_met_are_listed(engine: Engine) -> None:
    stored = Stored(shop_of(engine))
    users = stored.users(keys(4))
    stored.levels(users[:3], "core")
    stored.tasks(["u1"], "2025-06-10 10:00", due="2025-06-11 10:00", done="2025-06-10 12:00")
    stored.tasks(["u2"], "2025-06-10 10:00", due="2025-06-11 10:00", done="2025-06-12 12:00")
    stored.tasks(["u3", "u4"], "2025-06-10 10:00", due="2025-06-11 10:00")
    found = tables(stored.shop, "tasks")
    assert found["tasks"].rows == ((4, 2, 1, 2, 2, 0.5, 0.5),)
    assert found["unattended"].rows == (("u3", "core"),)


def test_the_trend_of_churn_marks_a_week_that_is_unusual(engine: Engine) -> None:
    stored = Stored(shop_of(engine))
    users = stored.users(keys(100))
    stored.levels(users, "core", "2025-03-01 10:00")
    stored.levels(users[:10], "silent", "2025-06-24 10:00", old="core")
    found = rows(tables(stored.shop, "churn", first="2025-06-23", last="2025-06-29")["churn"])
    assert len(found) == 9 and [row["alarm"] for row in found] == [""] * 8 + ["!"]
    assert (found[-1]["left"], found[-1]["began"], found[-1]["rate"], found[-1]["usual"]) == (10, 100, 0.1, 0.0)


@pytest.mark.parametrize(
    ("of", "flows"), [("", {"offer", "care/core"}), ("offer", {"offer"}), ("worth = core", {"care/core"}), ("sms", {"care/core"})]
)
def test_a_report_is_of_a_flow_of_those_that_act_on_a_tier_or_of_those_that_use_a_channel(engine: Engine, of: str, flows: set[str]) -> None:
    stored = Stored(shop_of(engine))
    users = stored.users(keys(3))
    stored.touches(users, "2025-06-10 10:00")
    stored.touches(users, "2025-06-11 10:00", flow="care/core", step="hi")
    found = tables(stored.shop, "funnel", "cross", of=of, by=("playbook", "step"))
    assert {row["flow"] for row in rows(found["funnel"])} == flows
    assert {row["playbook"] for row in rows(found["cross"])} == flows


@pytest.mark.slow
def test_every_show_of_the_language_is_made_and_says_what_the_project_has_no_name_for(engine: Engine) -> None:
    assert set(SHOWS) == set(WORDS) == set(SHOWN["zh"]) == set(SHOWN["en"])
    shop = shop_of(engine)
    stored = Stored(shop)
    stored.touches(stored.users(keys(3)), "2025-06-10 10:00", came={"opened": 2}, converted=1)
    found = tables(shop, *WORDS, by=("level", "channel"))
    assert found["cross"].rows[0][:4] == ("plain", "push", 3, 1)
    assert ("template", "coupon") in {(row["kind"].removesuffix("s"), row["name"]) for row in rows(found["unused"])}
    assert {"retention", "benchmarks", "arms", "over_time", "latency"} <= set(found)
