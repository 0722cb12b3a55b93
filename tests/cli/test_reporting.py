"""`sop report`, `sop reports` and `sop alerts`: what was made as it was made, what is due, what rang."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Shop

pytestmark = pytest.mark.slow

MORE = """
---
channels:
  内部: {via: outbox}
---
alerts:
  人少了: {watch: share, of: LEVEL, per: 7d, below: 90%, send: TEXT}
  忙不过来: {watch: overdue_tasks, per: 7d, above: 5, send: TEXT}
reports:
  周报: {show: [shares, tasks], of: TIER, every: mon 08:00, send: DONE, format: [html, csv, md, json]}
  随时看: {show: unused}
"""
SAYS = "---\ntemplate: {0}\nchannel: {1}\npurpose: internal\nvariables: {{{2}}}\n---\n{3}\n"
RANG = "alert.name: required, alert.value: required, alert.before: required"


@pytest.fixture
def watching(shop: Shop) -> Shop:
    """Two alerts and two reports over a shop with one user, in another level than the one that is watched; the next Monday is 16 June."""
    shop.ok("track", "小王", "order", "-f", "order_id=1", "-f", "amount=300")
    found = shop.json("tiers")[0]
    tier, level = found["tier"], next(one["level"] for one in found["levels"] if not one["users"])
    more = MORE.replace("LEVEL", f"{tier} = {level}").replace("TIER", tier).replace("TEXT", "响了").replace("DONE", "好了")
    shop.write("playbooks/99-reports.yml", more.lstrip().removeprefix("---\n"))
    shop.write("templates/响了.md", SAYS.format("响了", "内部", RANG, "{{ alert.name }} {{ alert.value }} {{ alert.before }}"))
    done = "report.name: required, report.link: required"
    shop.write("templates/好了.md", SAYS.format("好了", "内部", done, "{{ report.name }} {{ report.link }}"))
    shop.ok("apply", "--yes", "--no-test")
    shop.ok("tick", "--at", "2025-06-16 09:00")
    return shop


MONDAY = "2025-06-16T02:00:00Z"


def test_a_report_is_shown_as_it_was_made_in_every_format_and_written_into_a_folder(watching: Shop, tmp_path: Path) -> None:
    shown = watching.ok("report", "周报", at=MONDAY)
    assert shown.startswith("# 周报 · ") and "2025-06-09 – 2025-06-15" in shown and "## 人工任务" in shown
    assert json.loads(watching.ok("report", "周报", "--json", at=MONDAY))["last"] == "2025-06-15"
    assert watching.ok("report", "周报", "--csv", "--on", "2025-06-16", at=MONDAY).startswith("#,shares,shares,2025-06-09,2025-06-15\n")
    told = watching.ok("report", "周报", "--into", tmp_path / "r", at=MONDAY)
    assert told.count("written  ") == 4
    assert (tmp_path / "r" / "周报-2025-06-15.md").read_text("utf-8") == shown
    assert (tmp_path / "r" / "周报-2025-06-15.html").read_text("utf-8") == watching.ok("report", "周报", "--html", at=MONDAY)


def test_reports_are_listed_with_what_was_made_and_when_the_next_is_due(watching: Shop) -> None:
    lines = watching.ok("reports", at=MONDAY).splitlines()
    assert lines[1].split()[0] == "周报" and "2025-06-23 08:00" in lines[1] and "2025-06-09 – 2025-06-15" in lines[1]
    assert lines[2].split()[:4] == ["随时看", "unused", "when", "asked"]
    listed = watching.json("reports", at=MONDAY)
    assert [len(one["kept"]) for one in listed] == [4, 0]


def test_alerts_that_rang_are_listed_with_value_before_and_bound(watching: Shop) -> None:
    [rang] = watching.json("alerts", at=MONDAY)
    assert (rang["alert"], rang["from"], rang["to"], rang["bound"], rang["rang"], rang["told"]) == (
        "人少了", "2025-06-09", "2025-06-15", 0.9, True, "sent",
    )  # fmt: skip
    assert (rang["value"], rang["value_said"]) == (0.0, "0.0%")
    assert "人少了" in watching.ok("alerts", at=MONDAY) and "忙不过来" not in watching.ok("alerts", at=MONDAY)
    every = watching.json("alerts", "--all", "--alert", "忙不过来", at=MONDAY)
    assert [(one["value"], one["bound_said"], one["rang"]) for one in every] == [(0.0, "5", False)]
    assert [line for line in watching.ok("outbox", at=MONDAY).splitlines() if "人少了" in line]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["report", "周抱"], 1, "there is no report '周抱'"),
        (["report", "周报", "--on", "2025-07-01"], 1, "2025-07-01 is still to come"),
        (["report", "周报", "--csv", "--html"], 2, "add --into DIR"),
        (["alerts", "--alert", "x"], 1, "there is no alert 'x'"),
    ],
)
def test_what_cannot_be_shown_is_said(watching: Shop, words: list[str], code: int, said: str) -> None:
    found = watching.sop(*words, at=MONDAY)
    assert found.code == code and said in found.err
