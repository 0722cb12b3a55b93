"""`sop compare` on exported tables and on the engine's data: answers, bad input with its place, plans, cross tables, winners."""

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sop_engine.cli.main import app
from tests.actions.grocery import data_file
from tests.cli.conftest import Said, Shop
from tests.core.stats.test_vectors import differences

GOLDEN = Path(__file__).parents[1] / "golden"


def compare(*words: object) -> Said:
    result = CliRunner().invoke(app, ["compare", *(str(w) for w in words)])
    return Said(result.exit_code, result.stdout, result.stderr)


def table(folder: Path, text: str, name: str = "arms.csv") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def rows(control: tuple[int, int], variant: tuple[int, int], *, head: str = "user,arm,back") -> str:
    listed = [f"{arm}{n},{arm},{int(n < x)}" for arm, (x, size) in (("holdout", control), ("A", variant)) for n in range(size)]
    return "\n".join([head, *listed]) + "\n"


def test_a_real_test_gives_the_whole_reference_answer() -> None:
    asked = ("--arm", "version", "--converted", "retention_7", "--control", "gate_30", "--mode", "fixed", "--json")
    said = compare("--csv", data_file("cookie_cats.csv.gz"), *asked)
    expected = json.loads((GOLDEN / "compare-example.json").read_text("utf-8"))
    got = said.json
    assert differences(got, expected, 1e-9) == []
    assert list(got) == list(expected) and list(got["comparisons"][0]) == list(expected["comparisons"][0])


def test_the_other_outcome_of_the_real_test_is_no_clear_difference() -> None:
    asked = ("--arm", "version", "--converted", "retention_1", "--control", "gate_30", "--mode", "fixed", "--json")
    only = compare("--csv", data_file("cookie_cats.csv.gz"), *asked).json["comparisons"][0]
    assert only["verdict"] == "no_clear_difference"
    assert (only["low"], only["high"]) == (pytest.approx(-0.012391905, abs=1e-8), pytest.approx(0.000582095, abs=1e-8))


def test_a_planned_test_at_its_end_says_what_it_found_and_for_how_many(tmp_path: Path) -> None:
    file = table(tmp_path, rows((210, 1000), (250, 1000)))
    said = compare("--csv", file, "--arm", "arm", "--converted", "back", "--planned", 2000, "--shares", "holdout=1,A=1")
    assert said.code == 0
    assert 'Of the users chosen for "A", 25.0% came back; of the hold-out (sent nothing), 21.0%.' in said.out
    assert "4.0 points more (0.1 to 7.9): about 40 more users per 1,000." in said.out


def test_lost_users_veto_whatever_the_rates_say(tmp_path: Path) -> None:
    file = table(tmp_path, rows((50, 500), (130, 620)))
    said = compare("--csv", file, "--arm", "arm", "--converted", "back", "--planned", 1120, "--shares", "holdout=50%,A=50%", "--json").json
    assert said["answer"]["verdict"] == said["comparisons"][0]["verdict"] == "do_not_trust"
    assert said["health"]["status"] == "red" and said["answer"]["reason"] == "sample_ratio"
    assert "the arms should hold 560 / 560 users but hold 500 / 620" in said["answer"]["sentence"]["en"]


@pytest.mark.parametrize(
    ("text", "more", "sentence"),
    [
        ("arm,back\nA,1\nB,\n", (), "arms.csv:3: column 'back': '' is neither yes nor no. Write 1 or 0"),
        ("arm,back\nA,1\nB,maybe\n", (), "arms.csv:3: column 'back': 'maybe' is neither yes nor no."),
        ("arm,back\nA,1\nB,0\n", (), "which arm is the control? Name it with --control. The arms are: A, B."),
        ("arm,back\nA,1\n", ("--control", "A"), "there is one arm only: A."),
        ("arm,back\nA,1\nB,0\n", ("--control", "C"), "there is no arm 'C'. The arms are: A, B."),
        ("arm,bakc\nA,1\nB,0\n", ("--control", "A"), "arms.csv:1: there is no column 'back'. Did you mean 'bakc'?"),
        ("arm,back\nA,1\nB,0\n", ("--control", "A", "--mode", "hybrid"), "--mode hybrid needs --planned N"),
        ("arm,back\nA,1\nB,0\n", ("--control", "A", "--shares", "A=1"), "--shares names A, but the arms are A, B."),
        ("arm,back\nA,1\nB,0\n", ("--control", "A", "--shares", "A"), "'A' is not an arm and its share."),
        ("arm,back,u\nA,1,x\nB,0,x\n", ("--control", "A", "--user", "u"), "arms.csv:3: column 'u': the user 'x' is in line 2 already."),
        ("arm,back,m\nA,1,x\nB,0,2\n", ("--control", "A", "--value", "m"), "arms.csv:2: column 'm': 'x' is not a number."),
        ("arm,back\n", (), "there are no rows below the names of the columns"),
    ],
)
def test_bad_input_is_named_with_its_place_and_what_to_do(tmp_path: Path, text: str, more: tuple[str, ...], sentence: str) -> None:
    said = compare("--csv", table(tmp_path, text), "--arm", "arm", "--converted", "back", *more)
    assert said.code == 2
    assert sentence in said.err
    assert said.out == ""


@pytest.mark.parametrize("words", ["1,0", "true,false", "T,F", "yes,no", "是,否"])
@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_yes_and_no_are_read_in_every_usual_form_and_delimiter(tmp_path: Path, words: str, sign: str) -> None:
    yes, no = words.split(",")
    listed = [("control", yes if n < 20 else no) for n in range(100)] + [("B", yes if n < 30 else no) for n in range(100)]
    text = "\ufeff" + "\n".join(sign.join(pair) for pair in [("arm", "back"), *listed])
    file = tmp_path / "arms.csv.gz"
    file.write_bytes(gzip.compress(text.encode()))
    arms = compare("--csv", file, "--arm", "arm", "--converted", "back", "--json").json["arms"]
    assert [(a["name"], a["won_back"], a["mature"]) for a in arms] == [("control", 20, 100), ("B", 30, 100)]


def test_with_dates_only_users_whose_window_is_over_count(tmp_path: Path) -> None:
    """The vector maturity.1, as a table: window 14, read through day 16."""
    days = [(0, 3), (0, None), (0, 14), (0, 15), (1, 10), (2, None), (5, 8), (5, None), (8, 9), (10, None)]
    listed = [f"control,2025-03-{a + 1:02},{'' if c is None else f'2025-03-{c + 1:02}'}" for a, c in days]
    file = table(tmp_path, "\n".join(["arm,start,back", *listed, "B,2025-03-01,"]))
    asked = ("--start", "start", "--returned", "back", "--window", "14d", "--as-of", "2025-03-17", "--json")
    arm = compare("--csv", file, "--arm", "arm", *asked).json["arms"][0]
    assert (arm["mature"], arm["won_back"], arm["immature"]) == (6, 3, 4)


def test_the_small_answers_are_words_never_nan(tmp_path: Path) -> None:
    for number, (control, variant) in enumerate([((0, 30), (0, 30)), ((30, 30), (30, 30)), ((0, 1), (1, 1)), ((0, 30), (30, 30))]):
        file = table(tmp_path, rows(control, variant), f"{number}.csv")
        said = compare("--csv", file, "--arm", "arm", "--converted", "back", "--mode", "fixed", "--json")
        assert said.code == 0 and "NaN" not in said.out
        word = said.json["answer"]["verdict"]
        assert word == ("too_early" if variant[1] < 30 else "better" if variant[0] > control[0] else "no_clear_difference")


def test_files_are_written_and_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    file = table(tmp_path, rows((20, 100), (35, 100)))
    out = [(tmp_path / f"{n}.html", tmp_path / f"{n}.out.csv") for n in (1, 2)]
    for html, csv in out:
        assert compare("--csv", file, "--arm", "arm", "--converted", "back", "--html", html, "--csv-out", csv, "--lang", "zh").code == 0
    assert out[0][0].read_bytes() == out[1][0].read_bytes()
    assert out[0][1].read_bytes() == out[1][1].read_bytes()
    assert "每 1000 人多回来" in out[0][0].read_text("utf-8")


def test_a_project_without_arms_says_so_and_an_unknown_name_gets_a_list(shop: Shop) -> None:
    said = shop.sop("compare", "nothing")
    assert said.code == 1
    assert "there is no single experiment 'nothing'" in said.err


@pytest.mark.parametrize(
    ("lang", "planned", "open_ended"), [("en", "the planned number", "users so far"), ("zh", "按计划人数", "按目前人数")]
)
def test_who_planned_no_number_of_users_is_not_told_of_one(tmp_path: Path, lang: str, planned: str, open_ended: str) -> None:
    file = table(tmp_path, rows((100, 1000), (102, 1000)))
    asked = ("--csv", file, "--arm", "arm", "--converted", "back", "--shares", "holdout=1,A=1", "--lang", lang)
    assert planned in compare(*asked, "--planned", 4000).out
    without = compare(*asked).out
    assert planned not in without
    assert open_ended in without
