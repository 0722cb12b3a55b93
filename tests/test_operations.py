"""The runbook is whole: every metric and every alarm is in it, and every one in it exists in the code."""

import re
from typing import Any

import pytest
import yaml

from sop_engine.console.measures import MEASURES, exposition
from sop_engine.core.signs import Job, Leader, Process, Signs
from tests.test_docs import commands_of
from tests.test_house import ROOT

OPERATIONS = (ROOT / "docs/operations.md").read_text("utf-8")
ALERTS = [rule for group in yaml.safe_load((ROOT / "docs/operations/alerts.yml").read_text("utf-8"))["groups"] for rule in group["rules"]]
NAMES = {measure.name for measure in MEASURES}
SECTIONS = dict(re.findall(r"^## (Sop\w+)\n(.*?)(?=^#)", OPERATIONS, re.MULTILINE | re.DOTALL))
NOT_METRICS = {"sop_engine"}


def test_every_metric_is_in_the_table_and_every_one_there_exists() -> None:
    assert set(re.findall(r"^\| `(sop_\w+)` \|", OPERATIONS, re.MULTILINE)) == NAMES


def test_the_age_of_the_oldest_touch_comes_first() -> None:
    assert MEASURES[0].name == "sop_oldest_due_unsent_seconds"
    assert exposition(Signs()).decode().splitlines()[0].split()[2] == MEASURES[0].name


def test_every_alarm_has_a_section_and_every_section_an_alarm() -> None:
    assert list(SECTIONS) == [rule["alert"] for rule in ALERTS]


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_says_what_it_means_how_to_see_it_what_to_do_and_what_not(name: str) -> None:
    assert [word for word in ("**Means**", "**See**", "**Do**", "**Do not**") if word not in SECTIONS[name]] == []


def labels_of(expression: str) -> dict[str, set[str]]:
    """The labels an expression asks for, by metric."""
    return {name: set(re.findall(r"(\w+)\s*[=!]~?\"", inside)) for name, inside in re.findall(r"(sop_\w+)\{(.*?)\}", expression)}


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: str(rule["alert"]))
def test_an_alarm_asks_for_metrics_and_labels_that_exist(rule: dict[str, Any]) -> None:
    assert set(re.findall(r"\bsop_\w+", rule["expr"])) <= NAMES
    known = {measure.name: set(measure.labels) for measure in MEASURES}
    assert {name: labels - known[name] for name, labels in labels_of(rule["expr"]).items() if labels - known[name]} == {}
    assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) <= {label for m in MEASURES for label in m.labels}


def test_the_pages_name_only_metrics_and_commands_that_exist() -> None:
    import typer

    from sop_engine.cli.main import app

    commands = set(commands_of(typer.main.get_command(app), "sop"))
    firsts = {command.split()[1] for command in commands}
    for page in ("operations", "sizing"):
        text = (ROOT / f"docs/{page}.md").read_text("utf-8")
        assert set(re.findall(r"`(sop_\w+)", text)) - NAMES - NOT_METRICS == set(), page
        assert {word for word in re.findall(r"`sop ([a-z]+)", text) if word not in firsts} == set(), page


def test_every_measure_writes_what_it_sees() -> None:
    signs = Signs(
        oldest_due_s=12.5,
        touches={"queued": 3},
        attempts={("sms", "accepted"): 2},
        skipped={"cap": 1},
        stopped={"all": False, "playbook:p": True},
        leader=Leader(7, -3),
        jobs=(Job("sweep", 60, None, True),),
        processes=(Process("w", "worker", 5, None), Process("x", "worker", 99, 3)),
        circuits={"sms": True},
        pool_codes={"p": 9},
        pool_sizes={"p": 10},
        fits_unused={"churn": "refused"},
    )
    lines = [line for line in exposition(signs).decode().splitlines() if not line.startswith("#")]
    assert {line.partition(" ")[0].partition("{")[0] for line in lines} == NAMES
    for line in (
        'sop_touches{state="queued"} 3.0',
        'sop_attempts_last_hour{channel="sms",outcome="accepted"} 2.0',
        'sop_stopped{by="operator",scope="all"} 1.0',
        'sop_stopped{by="sop",scope="playbook:p"} 1.0',
        "sop_leader_lease_left_seconds -3.0",
        'sop_job_age_seconds{job="sweep"} +Inf',
        'sop_processes{kind="worker"} 1.0',
        'sop_fit_unused{metric="churn",why="refused"} 1.0',
        'sop_process_worked_seconds{kind="worker",process="x"} 3.0',
    ):
        assert line in lines
