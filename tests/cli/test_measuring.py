"""`sop measure` shows every figure beside its reference, the whole definition of one that is named, and both as JSON and CSV."""

import csv
from io import StringIO
from typing import Any

import pytest

from sop_engine.core.measures.listed import MEASURES
from tests.cli.conftest import Shop


@pytest.fixture
def busy(shop: Shop) -> Shop:
    """Two orders of one buyer, and one of another."""
    for key, order, amount in (("小王", "1", 300), ("小王", "2", 500), ("老陈", "3", 200)):
        shop.ok("track", key, "order", "-f", f"order_id={order}", "-f", f"amount={amount}", at=f"2025-06-0{order}T05:00:00Z")
    return shop


def test_all_measures_are_shown_in_groups_and_what_the_project_lacks_is_said(busy: Shop) -> None:
    out = busy.ok("measure")
    assert out.startswith("2025-03-12 to 2025-06-09, days included\n\nReach\n")
    assert [m.en for m in MEASURES.values() if m.en not in out] == []
    assert "this project has no tag 钻石会员" in out
    assert "nobody promises or expects them" in out
    zh = busy.ok("measure", "--lang", "zh")
    assert [m.zh for m in MEASURES.values() if m.zh not in zh] == []
    assert "本项目没有标签 钻石会员" in zh


def test_a_named_measure_comes_with_its_definition_window_counts_and_rows(busy: Shop) -> None:
    out = busy.ok("measure", "pareto", "--from", "2025-06-01", "--to", "2025-06-09")
    assert out.startswith("2025-06-01 to 2025-06-09, days included\n\n")
    assert "Revenue of the top 20 % of buyers 80.0% (reference 80 % of revenue from 20 % of users, Q-02) · pareto" in out
    assert "Definition: Revenue of the top fifth" in out
    assert "Rows: Q-02, S1-05" in out
    assert "800 / 1,000" in out and "fewer than 30" in out
    assert "· pareto" in busy.ok("measure", "S1-05")


def test_json_and_csv_hold_the_same_figures(busy: Shop) -> None:
    (told,) = busy.json("measure", "pareto")
    (found,) = told["found"]
    assert (told["references"], found["numerator"], found["value"]) == (
        [{"row": "Q-02", "quoted": "80 % of revenue from 20 % of users"}],
        800,
        0.8,
    )
    (row,) = csv.DictReader(StringIO(busy.ok("measure", "pareto", "--csv")))
    assert (row["measure"], row["row"], float(row["value"]), row["low"]) == ("pareto", "Q-02 S1-05", 0.8, "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["paretto"], "Did you mean 'pareto'?"),
        (["--plan", "高价值"], "write a level and its share"),
        (["--plan", "高价值=180%"], "write a level and its share"),
        (["--to", "2025-07-01"], "2025-07-01 is still to come"),
        (["--from", "2025-06-05", "--to", "2025-06-01"], "after its end"),
    ],
)
def test_a_wrong_question_says_what_to_write(shop: Shop, words: list[Any], said: str) -> None:
    told = shop.sop("measure", *words)
    assert told.code == 1 and said in told.err
