"""The rows about the shape of the product: the whole loop, strict words, fair comparison, channels, templates, versions."""

import ast
import tomllib
from pathlib import Path

import pytest
from sqlalchemy import Engine

from sop_engine.actions.compare import compare_playbook
from sop_engine.actions.planning import plan_of
from sop_engine.core.errors import DeliveryError
from sop_engine.core.records import UserRecord
from tests import conftest
from tests.cli.test_compare import compare, rows, table
from tests.requirements.shops import book, library, of_code, said_of
from tests.shop import Shop, keys
from tests.shop_project import Scripted, text
from tests.test_house import ENGINE, ROOT, python_files, tree_of

LOOP = """
tier: stage
note: x
levels: {lost: quiet >= 30, here: otherwise}
---
playbook: back
tier: stage
goal: buys
levels:
  lost: {intent: win_back, holdout: 50%, no_benefit: x, experiment: {planned_per_arm: 100}, steps: {hi: {at: day 0 10:00, send: hello}}}
  here: {none: x}
"""


@pytest.mark.slow
def test_c_01_from_import_over_level_start_send_order_and_move_to_the_report(memory: Engine) -> None:
    shop = Shop(memory, LOOP, start="2025-06-01 09:00")
    people = [UserRecord(key, shop.at("2025-05-02"), {"phone": f"1380000{n:04}"}) for n, key in enumerate(keys(30))]
    shop.load_history(people, [shop.record(p.key, "visit", "2025-05-03 12:00", {}) for p in people])
    assert shop.facts("u1", "stage") == ["here"] and shop.touches() == []
    shop.until("2025-06-02 12:00")
    sent = [key for key in keys(30) if shop.sent(key)]
    held = [key for key in keys(30) if shop.skipped(key) == ["hi:holdout"]]
    assert len(sent) + len(held) == 30 and sent and held
    shop.event(sent[0], "order", at="2025-06-03 12:00", order_id="a", amount=50)
    assert shop.facts(sent[0], "stage") == ["here"] and shop.ends(sent[0]) == ["goal"]
    shop.until("2025-06-20 12:00")
    report = compare_playbook(shop.app, "back", shop.now)
    assert sum(arm.assigned for arm in report.arms) == 30
    assert [arm.won_back for arm in report.arms if arm.name != "holdout"] == [1]


def test_c_02_what_the_engine_is_built_of_is_used_where_it_belongs() -> None:
    def imported(*folders: str) -> set[str]:
        found: set[str] = set()
        for file in python_files(*folders):
            for node in ast.walk(tree_of(file)):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else [getattr(node, "module", None) or ""]
                found |= {name.split(".")[0] for name in names if isinstance(node, ast.Import | ast.ImportFrom)}
        return found

    assert {"celery", "apscheduler", "redis"} <= imported("sop_engine/worker")
    assert "sqlmodel" in imported("sop_engine/store")
    assert "from jinja2" in (ENGINE / "rendering.py").read_text("utf-8")
    assert {"pytest", "freezegun"} <= imported("tests/cli")


def test_c_03_every_file_that_is_no_module_goes_into_the_wheel() -> None:
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-data"]["sop_engine"]
    packed = {file for pattern in patterns for file in ENGINE.glob(pattern)}
    others = {f for f in ENGINE.rglob("*") if f.is_file() and f.suffix not in (".py", ".pyc") and "__pycache__" not in f.parts}
    assert others - packed == set() and others


def test_c_04_a_misspelt_key_is_named_with_its_line_and_the_right_one() -> None:
    wrong = text("hello", "sms").replace("channel: sms", "chanel: sms")
    [found] = [p for p in said_of(texts={"hello": wrong}) if p.code == "SOP201"]
    assert (found.file, found.line) == ("templates/hello.md", 3)
    assert "Did you mean 'channel'?" in found.sentence


def test_c_08_a_touch_of_day_45_outlives_every_process_and_is_sent_once(memory: Engine) -> None:
    later = book("event: cart", "a: {at: day 45 10:00, send: hello}", goal="joins")
    shop = Shop(memory, later, start="2025-03-01 12:00")
    shop.user("u")
    shop.event("u", "cart")
    restarted = Shop(memory, start="2025-04-15 10:00")  # other processes on the same database
    restarted.texts = shop.texts
    restarted.beat()
    restarted.beat()
    assert restarted.sent("u") == ["a@04-15 10:00"] and len(restarted.texts_sent("u")) == 1


def test_c_10_a_plan_says_what_would_change_and_writes_nothing(memory: Engine) -> None:
    shop = Shop(memory, book("event: cart", "a: {at: day 3 10:00, send: hello}"), start="2025-03-01 12:00")
    files = shop.files(book("event: cart", "a: {at: day 4 10:00, send: hello}"))
    with shop.app.work(shop.now) as work:
        before = work.live.release
    told = plan_of(shop.app, shop.app.load(files), shop.now)
    assert [one.change.kind for one in told.flows] == ["changed"]
    with shop.app.work(shop.now) as work:
        assert work.live.release == before


PLANNED = (
    ((42, 200), (50, 200), 400, ("no_clear_difference", -0.047, 0.126)),
    ((210, 1000), (250, 1000), 2000, ("better", 0.001, 0.079)),
    ((210, 1000), (250, 1000), 4000, ("no_clear_difference_yet", -0.028, 0.108)),
)


@pytest.mark.parametrize(("control", "variant", "planned", "told"), PLANNED, ids=["small", "at its end", "at half its plan"])
def test_c_13_win_back_rates_are_compared_with_an_interval_that_fits_the_moment(
    tmp_path: Path, control: tuple[int, int], variant: tuple[int, int], planned: int, told: tuple[str, float, float]
) -> None:
    file = table(tmp_path, rows(control, variant))
    said = compare("--csv", file, "--arm", "arm", "--converted", "back", "--planned", planned, "--shares", "holdout=1,A=1", "--json").json
    only = said["comparisons"][0]
    yet = said["answer"]["sentence"]["en"].startswith("No clear difference yet")
    verdict = f"{only['verdict']}_yet" if yet else only["verdict"]
    assert (verdict, round(only["low"], 3), round(only["high"], 3)) == told


def test_c_14_arms_that_lost_users_have_no_winner_and_a_hold_out_shows_the_whole_effect(tmp_path: Path) -> None:
    asked = ("--arm", "arm", "--converted", "back", "--json")
    lost = compare("--csv", table(tmp_path, rows((50, 500), (130, 620))), *asked, "--planned", 1120, "--shares", "holdout=1,A=1").json
    assert lost["answer"]["verdict"] == "do_not_trust"
    ratio = lost["health"]["sample_ratio"]
    assert (round(ratio["chi2"], 1), round(ratio["p"], 4)) == (12.9, 0.0003)
    fair = compare(
        "--csv", table(tmp_path, rows((100, 1000), (210, 1000)), "fair.csv"), *asked, "--planned", 2000, "--shares", "holdout=1,A=1"
    ).json
    assert fair["comparisons"][0]["difference"] == pytest.approx(0.11)


def test_c_15_a_channel_that_fails_twice_and_then_works_delivers_once_with_three_attempts(memory: Engine) -> None:
    sms = Scripted([DeliveryError("retry_after", "busy"), DeliveryError("retry_after", "busy")])
    shop = Shop(memory, book("event: cart", "a: {at: now, send: hello}", goal="joins"), start="2025-03-01 12:00", channels={"sms": sms})
    shop.user("u")
    shop.event("u", "cart")
    shop.until("2025-03-01 13:00")
    assert [(t.state, t.attempts) for t in shop.touches("u")] == [("sent", 3)]
    assert len(sms.handed) == 3


def test_c_16_a_variable_that_is_listed_nowhere_is_caught_by_the_check() -> None:
    wrong = text("hello", "sms", variables="name: friend", body="{{ 妮称 }}")
    [told] = of_code(said_of(texts={"hello": wrong}), 501)
    assert told.startswith("error") and "妮称" in told
    assert all(t.variables or not t.uses for by in library().templates.values() for t in by.values())


def test_c_18_a_server_that_was_asked_for_and_is_missing_fails_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOP_REQUIRE_SERVERS", "1")
    with pytest.raises(pytest.fail.Exception, match="PostgreSQL was not found"):
        next(conftest._running("PostgreSQL", None))
