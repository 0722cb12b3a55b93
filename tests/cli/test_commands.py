"""Every command explains itself with examples, takes --project, and says no traceback to bad input."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from sop_engine.cli.main import app
from tests.cli.conftest import Shop

COMMANDS = typer.main.get_command(app)


def leaves(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with the words that call it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from leaves(command, (*path, name))
        else:
            yield (*path, name), command


ALL = dict(leaves(COMMANDS))
ASKING = ("tiers", "touches", "outbox", "tasks", "benefits")


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_has_examples_that_begin_with_its_name(words: tuple[str, ...]) -> None:
    told = CliRunner().invoke(app, [*words, "--help"], terminal_width=200)
    assert told.exit_code == 0
    examples = told.stdout.partition("Examples:\n")[2].partition("\n\n")[0].splitlines()
    assert examples
    assert [line for line in examples if f"sop {' '.join(words)}" not in line] == []


@pytest.mark.parametrize("words", [w for w in ALL if w[0] not in ("init", "models")], ids=" ".join)  # these need none
def test_every_command_works_on_a_project_that_is_named(words: tuple[str, ...]) -> None:
    assert "project" in [p.name for p in ALL[words].params]


@pytest.mark.parametrize("words", [w for w in ALL if w[0] not in ("run", "demo", "worker", "scheduler", "web")], ids=" ".join)
def test_every_report_comes_as_json_too(words: tuple[str, ...]) -> None:
    assert "as_json" in [p.name for p in ALL[words].params]


@pytest.mark.parametrize("command", ASKING)
def test_asking_before_the_first_apply_says_what_to_do(fresh: Shop, command: str) -> None:
    said = fresh.sop(command)
    assert (said.code, said.out) == (1, "")
    assert said.err == "Error: no project has been applied to this database yet: run 'sop apply' first\n"


@pytest.mark.parametrize("command", ASKING)
def test_a_folder_without_a_project_gets_no_database(tmp_path: Any, command: str) -> None:
    said = Shop(tmp_path).sop(command)
    assert said.code == 1
    assert "has no 'playbooks' and no database" in said.err
    assert list(tmp_path.iterdir()) == []


def test_a_backtest_counts_what_would_have_happened(shop: Shop) -> None:
    rows = "u1,2025-06-02 10:00\nu2,2025-06-03 10:00\n"
    shop.ok("import", shop.write("u.csv", "user_id,手机号,短信许可\nu1,13800000001,是\nu2,13800000002,否\n"), "--as", "users")
    shop.ok("import", shop.write("e.csv", f"user_id,at,event\n{rows.replace(chr(10), ',visit' + chr(10))}"), "--as", "events")
    line = next(one for one in shop.ok("backtest", "--from", "2025-06-01", "--to", "2025-06-09").splitlines() if "新客期" in one)
    assert line == "生命周期经营/新客期  starts 2 · sent 2 · skipped: needs 2 · to: 新客期 2 · cost 20.1 CNY · goals 0"
    whole = shop.json("backtest", "--from", "2025-06-01", "--to", "2025-06-09")
    assert (sum(whole["by_day"].values()), sum(whole["by_channel"].values()), whole["benefits"][0]["given"]) == (2, 2, 1)
    assert shop.json("touches")["touches"] == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--from", "2025-06-09", "--to", "2025-06-01"], "--from 2025-06-09 is after --to 2025-06-01."),
        (["--from", "2025-06-01", "--to", "2025-06-10"], "--to 2025-06-10 is not over yet."),
        (["--from", "gestern", "--to", "2025-06-09"], "'gestern' is not a date."),
        (["生命", "--from", "2025-06-01", "--to", "2025-06-09"], "there is no playbook or flow '生命'."),
    ],
)
def test_a_backtest_of_no_period_is_refused(shop: Shop, words: list[str], sentence: str) -> None:
    said = shop.sop("backtest", *words)
    assert said.code == 1
    assert said.err.startswith(f"Error: {sentence}")
