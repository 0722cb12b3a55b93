"""Says that misuses are pointed out where they stand: each file of lints ends with the lines it prints beside the base project."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from sop_engine.core.conditions import And, Compare, Constant, Ref
from sop_engine.core.errors import Problem
from sop_engine.core.project import Project
from sop_engine.language.lint import lint
from sop_engine.language.lint_dates import lint_fits
from sop_engine.language.lint_places import Lint
from sop_engine.language.load import check
from sop_engine.language.report import Report
from sop_engine.language.truth import MOST_CASES, always

HERE = Path(__file__).parent
BASE = {f"base/{file.name}": file.read_text("utf-8") for file in sorted((HERE / "lints" / "base").iterdir())}
BAD = sorted((HERE / "lints").glob("*.yml"))
OURS = {702, 703, 704, 705, 706, 707, 710, 711, 712, 713, 714, 715, 717, 718, 719, 720, 721, 723, 724, 725, 726, 727, 728}
MISUSES = {
    "a level without action": ("713-forgotten.yml", 713),
    "no welcome": ("604-no-welcome.yml", 604),
    "promotion to silent users": ("718-promotes-to-silent.yml", 718),
    "more than five levels acted on": ("603-more-than-five-levels.yml", 603),
    "ten dimensions": ("613-ten-dimensions.yml", 613),
    "rules on comments only": ("705-one-interaction.yml", 705),
    "tier names in copy": ("509-level-in-text.md", 509),
    "static tiers": ("725-static-tier.yml", 725),
    "a survey without giving back": ("726-survey-without-return.yml", 726),
    "a coupon shorter than the wait": ("715-benefit-over-time.yml", 715),
    "quiet hours that never open": ("727-never-open.yml", 727),
    "a step after the rule of its level has ended": ("728-after-the-level.yml", 728),
}


def problems(name: str, text: str) -> list[Problem]:
    """What is said about one file beside the base project."""
    return [p for p in check({**BASE, name: text}).problems if p.file == name]


def base() -> Project:
    """The base project alone."""
    project = check(BASE).project
    assert project is not None
    return project


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_a_misuse_prints_exactly_the_lines_at_the_end_of_its_file(file: Path) -> None:
    text, _, expected = file.read_text("utf-8").partition("# expected:\n")
    assert [str(p) for p in problems(file.name, text)] == [line.removeprefix("# ") for line in expected.splitlines()]


def test_there_is_a_file_for_every_lint() -> None:
    expected = "".join(file.read_text("utf-8").partition("# expected:")[2] for file in BAD)
    assert [code for code in sorted(OURS) if f" SOP{code}: " not in expected] == []


@pytest.mark.parametrize("misuse", MISUSES)
def test_each_of_the_twelve_misuses_is_reported_with_its_code(misuse: str) -> None:
    name, code = MISUSES[misuse]
    text = (HERE / "lints" / name).read_text("utf-8")
    if name.endswith(".md"):
        assert [str(p) for p in problems(name, text) if p.severity == "error"] == text.partition("{# expected:\n")[2].splitlines()[:-1]
    assert f"SOP{code}" in {p.code for p in problems(name, text)}


def test_marketing_through_a_channel_whose_hours_the_projects_never_meet_is_reported() -> None:
    channel = "channels:\n  夜间: {via: webhook, to: 企微号, hours: 22:00-06:00}\n"

    def said(channel: str, purpose: str) -> list[str]:
        text = BASE["base/问候_企微.md"].replace("问候_企微", "夜_夜间").replace("channel: 企微", "channel: 夜间")
        text = text.replace("purpose: marketing", f"purpose: {purpose}")
        return [str(p) for p in check({**BASE, "夜.yml": channel, "夜_夜间.md": text}).problems if p.code == "SOP727"]

    assert said(channel, "marketing") == [
        "夜.yml:2:38: warning SOP727: marketing through '夜间' is never sent: its hours and those of the project have no minute in common."
    ]
    assert said(channel.replace("22:00", "20:59"), "marketing") == []
    assert said(channel, "service") == []


def test_the_base_project_has_no_warnings_of_its_own() -> None:
    assert [str(p) for p in check(BASE).problems if p.severity != "info"] == []


def test_the_example_project_has_no_warnings() -> None:
    good = HERE / "good"
    files = {f.relative_to(good).as_posix(): f.read_text("utf-8") for f in sorted(good.rglob("*")) if f.suffix in (".yml", ".md")}
    assert [str(p) for p in check(files).problems if p.severity != "info"] == []


def test_a_comment_with_a_reason_silences_a_lint_on_its_line() -> None:
    text = (HERE / "lints" / "707-no-note.yml").read_text("utf-8").partition("# expected:")[0]
    assert any(p.code == "SOP707" for p in problems("a.yml", text))
    allowed = text.replace("tier: 无理由", "tier: 无理由  # allow SOP707: 只是试试")
    assert not any(p.code == "SOP707" for p in problems("a.yml", allowed))
    without_reason = text.replace("tier: 无理由", "tier: 无理由  # allow SOP707:")
    assert any(p.code == "SOP707" for p in problems("a.yml", without_reason))


def test_a_flow_without_a_date_asks_the_calendar_from_today() -> None:
    text = """playbook: 工作日
intent: maintain
start: {enter: 投诉中}
goal: 复购
steps:
  每个工作日: {every: workday 14:00, when: 订单数 = 0, send: 再问_企微}
  收尾: {at: day 14 10:00, send: 三问_企微}
"""
    project = check({**BASE, "a.yml": text}).project
    assert project is not None

    def codes(today: date | None) -> set[str]:
        report = Report()
        lint(project, {}, report, today=today)
        return {p.code for p in report.problems}

    assert "SOP720" in codes(date(2025, 6, 20))
    assert "SOP720" not in codes(date(2025, 6, 16))
    assert "SOP720" not in codes(None)


def test_a_fit_is_too_old_after_its_period_and_five_days() -> None:
    def said(fitted: date) -> list[str]:
        report = Report()
        lint_fits(Lint(base(), {}, report), {"消费排名": fitted, "订单数": date(2020, 1, 1)}, date(2025, 3, 31))
        return [p.sentence for p in report.sorted()]

    assert said(date(2025, 3, 19)) == []
    assert said(date(2025, 3, 18)) == [
        "'消费排名' was fitted on 2025-03-18, and 'refresh: weekly' is over. Run the refresh; labels are frozen."
    ]


def test_a_condition_with_too_many_cases_is_not_judged() -> None:
    names = [Ref("attribute", f"属性{n}", "flag") for n in range(20)]
    wide = And(tuple(Compare("=", ref, Constant(True)) for ref in names))
    assert 3 ** len(names) > MOST_CASES
    assert always(wide, base()) is None


def test_the_holdout_of_the_project_is_a_holdout_of_every_flow() -> None:
    text = (HERE / "lints" / "723-no-holdout.yml").read_text("utf-8").partition("# expected:")[0]
    project = check({**BASE, "a.yml": text}).project
    assert project is not None
    with_holdout = replace(project, settings=replace(project.settings, holdout=Decimal("0.05")))
    report = Report()
    lint(with_holdout, {}, report)
    assert not any(p.code == "SOP723" for p in report.problems)
