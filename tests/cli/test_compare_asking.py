"""`sop compare --plan`, `--by` and `--approve` through the command: text in both languages, JSON; and plans that take too long."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import statsmodels.stats.proportion  # noqa: F401  # its libraries measure a date, so they come before the clock is frozen

from sop_engine.actions.ingest import record_events
from sop_engine.core.records import UserRecord
from sop_engine.store.engine import open_engine
from sop_engine.store.migrate import upgrade
from tests import shop as made_up
from tests.actions.test_compare_arms import BACK
from tests.cli.conftest import Shop
from tests.shop import keys

pytestmark = pytest.mark.slow

CART = """
playbook: cart
intent: cultivate
start: {event: cart}
goal: {event: order, within: 3d}
holdout: 20%
variants: {A: 50%, B: 50%}
experiment: {planned_per_arm: 1000, winner: WINNER}
steps:
  hi: {at: day 0 18:00, send: {A: hello_push, B: hello_push}}
"""
AT = "2025-07-01T01:00:00Z"


@contextmanager
def shop_in(folder: Path, start: str, *documents: str) -> Iterator[made_up.Shop]:
    """A shop whose files and database are those of a project's folder: the command reads what is done here."""
    engine = open_engine(f"sqlite:///{folder / 'sop.db'}")
    upgrade(engine)
    shop = made_up.Shop(engine, start=start)
    write(shop, folder, *documents)
    yield shop
    engine.dispose()


def write(shop: made_up.Shop, folder: Path, *documents: str) -> None:
    """The project of these documents, as files."""
    for name, text in shop.files(*documents).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")


@pytest.fixture
def silent(tmp_path: Path) -> Shop:
    """100 users who bought in November; 20 came back in February, 14 were here in May. The playbook is live since this morning."""
    with shop_in(tmp_path, "2025-07-01 09:00", BACK) as shop:
        shop.apply()
        people = [UserRecord(k, shop.at("2024-11-01 08:00"), {}) for k in keys(100)]
        bought = [shop.record(k, "order", "2024-11-01 12:00", {"amount": 5}) for k in keys(100)]
        again = [shop.record(f"u{n}", "order", "2025-02-05 12:00", {"amount": 5}) for n in range(1, 21)]
        lately = [shop.record(f"u{n}", "order", "2025-05-20 12:00", {"amount": 5}) for n in range(1, 15)]
        shop.load_history(people, [*bought, *again, *lately])
        shop.apply(BACK)
    return Shop(tmp_path)


def test_a_plan_prints_every_hold_out_with_what_it_finds_after_2_4_and_8_weeks_in_both_languages(silent: Shop) -> None:
    english = silent.ok("compare", "back", "--plan", "--effect", 5, at=AT).splitlines()
    assert english[0] == (
        "back: of 566 users silent for 30 days at the last month ends, 20 (3.5%) came back by themselves within 14 days. "
        "0.5 users enter a day."
    )
    assert english[1] == "To find 5 points more with a chance of 80% (hybrid, variants: 1):"
    assert english[2].split("  ")[-1].strip() == "finds after 8 weeks"
    assert [f"finds after {w} weeks" in english[2] for w in (2, 4, 8)] == [True] * 3
    assert [line.split()[0] for line in english[3:8]] == ["50%", "30%", "20%", "10%", "5%"]
    chinese = silent.ok("compare", "back", "--plan", "--effect", 5, "--lang", "zh", at=AT).splitlines()
    assert chinese[0] == "back：最近几个月末，沉默满 30 天的 566 人里有 20 人（3.5%）在 14 天内自己回来。每天约有 0.5 人进入。"
    assert [f"{w} 周后能发现" in chinese[2] for w in (2, 4, 8)] == [True] * 3
    assert [line.split() for line in chinese[3:8]] == [line.split() for line in english[3:8]]


def test_a_plan_in_json_has_the_rows_and_warns_of_more_than_90_days(silent: Shop) -> None:
    said = silent.json("compare", "back", "--plan", "--effect", 5, at=AT)
    rows = said["planning"]["rows"]
    assert [(r["holdout"], sorted(r["findable"])) for r in rows] == [(h, ["2", "4", "8"]) for h in (0.5, 0.3, 0.2, 0.1, 0.05)]
    assert rows[0]["planned_per_arm"] == -(-rows[0]["users"] // 2)
    assert said["declared"] == {"users": 200, "users_a_day": 0.5, "days": 414, "warnings": ["over_90_days"]}
    out = silent.ok("compare", "back", "--plan", at=AT)
    assert out.splitlines()[-2:] == [
        "As declared: 200 users, about 414 days.",
        "! back: the declared 200 users take about 414 days at 0.5 new users a day, more than 90: "
        "a larger hold-out, fewer variants or a smaller plan ends sooner.",
    ]
    assert "超过 90 天" in silent.ok("compare", "back", "--plan", "--lang", "zh", at=AT).splitlines()[-1]


@pytest.mark.parametrize(
    ("asked", "sentence"), [(("--effect", 0), "--effect is in points"), (("--effect", 99), "points more are not possible")]
)
def test_a_plan_that_makes_no_sense_is_refused_with_what_to_write(silent: Shop, asked: tuple[object, ...], sentence: str) -> None:
    said = silent.sop("compare", "back", "--plan", *asked, at=AT)
    assert said.code != 0 and sentence in said.err


def test_sop_plan_and_apply_warn_of_a_declared_size_that_takes_over_90_days(silent: Shop) -> None:
    silent.change("playbooks/0.yml", "planned_per_arm: 100", "planned_per_arm: 30")
    found = silent.json("plan", "--no-test", at=AT)["slow_tests"]
    assert found == {"back": {"users": 60, "users_a_day": 0.5, "days": 134, "warnings": ["over_90_days"]}}
    told = "! back: the declared 60 users take about 134 days at 0.5 new users a day, more than 90"
    assert told in silent.ok("plan", "--no-test", at=AT)
    assert told in silent.ok("apply", "--no-test", "--yes", "--at-once", at=AT)
    assert silent.json("plan", "--no-test", at=AT)["slow_tests"] == {}  # nothing changes, nothing is said again
    silent.change("playbooks/0.yml", "planned_per_arm: 30", "planned_per_arm: 15")
    assert silent.json("plan", "--no-test", at=AT)["slow_tests"] == {}  # 30 users at 0.5 a day, and 14 days


@pytest.fixture
def proposed(tmp_path: Path) -> Shop:
    """400 users in eight days; everybody of B comes back, hardly anybody else. The playbook proposes its winner."""
    text = CART.replace("WINNER", "propose")
    with shop_in(tmp_path, "2025-03-01 09:00", text) as shop:
        shop.apply(text)
        for day in range(1, 9):
            shop.until(f"2025-03-0{day} 12:00")
            users = [f"u{day}_{n}" for n in range(50)]
            record_events(shop.app, [shop.record(k, "cart", shop.local(), {}) for k in users], shop.now)
            shop.until(f"2025-03-0{day} 19:00")
            back = [k for n, k in enumerate(users) if shop.runs(k)[0].variant == "B" or n % 12 == 0]
            record_events(shop.app, [shop.record(k, "order", shop.local(), {"order_id": k, "amount": 5}) for k in back], shop.now)
    return Shop(tmp_path)


LATER = "2025-03-20T01:00:00Z"


def test_a_winner_is_proposed_by_a_look_and_given_to_new_users_by_a_person(proposed: Shop) -> None:
    nothing = proposed.sop("compare", "cart", "--approve", "王经理", at=LATER)
    assert nothing.code == 1 and "no winner is proposed for 'cart'" in nothing.err
    seen = proposed.sop("compare", "cart", at=LATER)
    assert "Winner proposed since 2025-03-20: 'B'. 'sop compare cart --approve NAME' gives it to new users." in seen.err
    assert "2025-03-20 起建议胜者「B」" in proposed.sop("compare", "cart", "--lang", "zh", at=LATER).err
    said = proposed.json("compare", "cart", "--approve", "王经理", at=LATER)
    assert (said["variant"], said["state"], said["by"]) == ("B", "switched", "王经理")
    again = proposed.sop("compare", "cart", "--approve", "王经理", at=LATER)
    assert again.code == 1
    after = proposed.sop("compare", "cart", "--lang", "zh", at="2025-03-21T01:00:00Z").err
    assert "起新用户都用「B」（批准人：王经理）" in after


def test_an_approval_is_told_in_the_language_asked_for(proposed: Shop) -> None:
    proposed.ok("compare", "cart", at=LATER)
    told = proposed.ok("compare", "cart", "--approve", "王经理", "--lang", "zh", at=LATER)
    assert told.startswith("cart：从现在起新用户都用「B」，批准人：王经理。「B」组有")


def test_an_experiment_that_switches_does_so_at_the_first_look_that_has_a_verdict(proposed: Shop) -> None:
    proposed.change("playbooks/0.yml", "winner: propose", "winner: switch")
    proposed.ok("apply", "--yes", "--no-test", at=LATER)
    said = proposed.sop("compare", "cart", at=LATER)
    assert "New users get 'B' since 2025-03-20" in said.err
    assert proposed.sop("compare", "cart", "--approve", "王经理", at=LATER).code == 1


def test_a_cross_table_is_told_in_both_languages_and_in_json(proposed: Shop) -> None:
    english = proposed.ok("compare", "cart", "--by", "variant,channel", at=LATER).splitlines()
    assert english[0].split() == ["variant", "channel", "delivered", "goals", "rate", "95%", "limits"]
    assert [(line.split()[0], line.split()[-1]) for line in english[1:]] == [("A", "weak"), ("B", "strong")]
    chinese = proposed.ok("compare", "cart", "--by", "variant,channel", "--lang", "zh", at=LATER).splitlines()
    assert chinese[0].split() == ["variant", "channel", "送达", "达成", "比例", "95%", "范围"]
    assert [line.split()[-1] for line in chinese[1:]] == ["弱", "强"]
    cells = proposed.json("compare", "cart", "--by", "variant,channel", at=LATER)
    assert [(c["labels"], c["mark"]) for c in cells] == [(["A", "push"], "weak"), (["B", "push"], "strong")]
    assert proposed.ok("compare", "cart", "--by", "level", "--lang", "zh", at="2025-02-01T01:00:00Z").strip() == "还没有送达任何消息。"
    wrong = proposed.sop("compare", "cart", "--by", "colour", at=LATER)
    assert wrong.code != 0 and "'colour' is none of them" in wrong.err
