"""`sop tasks` shows what colleagues have to do, what is late, how much they do and whom they forgot."""

import sqlite3

import pytest

from tests.cli.conftest import Shop

TASKS = [
    ("a", 1, "Mei", "open", "2025-06-08 04:00:00", "2025-06-09 04:00:00", None, "2025-06-09 04:01:00", "顾问任务"),
    ("escalated:a", 1, "head", "open", "2025-06-09 04:01:00", None, None, None, None),
    ("b", 1, "Mei", "open", "2025-06-10 03:00:00", "2025-06-11 03:00:00", None, None, "顾问任务"),
    ("c", 1, "Mei", "done", "2025-06-07 04:00:00", "2025-06-08 04:00:00", "2025-06-07 05:00:00", None, "顾问任务"),
]


@pytest.fixture
def desk(shop: Shop) -> Shop:
    """A shop with one user and four tasks."""
    shop.ok("track", "小王", "visit", at="2025-06-02T02:00:00Z")
    with sqlite3.connect(next(shop.folder.rglob("*.db"))) as raw:
        columns = "key, user_id, assignee, state, created_at, due_at, done_at, escalated_at, channel, text"
        raw.executemany(f"INSERT INTO tasks ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'call')", TASKS)
    raw.close()
    return shop


@pytest.mark.slow
def test_x_18_open_tasks_show_their_deadline_whether_it_has_passed_and_that_they_were_escalated(desk: Shop) -> None:
    lines = desk.ok("tasks").splitlines()[::2]
    assert [line.split("  ", 1)[1] for line in lines] == [
        "小王 → Mei  due 2025-06-09 12:00 OVERDUE, escalated 2025-06-09 12:01",
        "小王 → Mei  due 2025-06-11 11:00",
        "小王 → head  no deadline",
    ]
    assert [one["overdue"] for one in desk.json("tasks")] == [True, False, False]


@pytest.mark.slow
def test_s2_27_rates_are_told_by_colleague(desk: Shop) -> None:
    assert desk.ok("tasks", "--rates").splitlines()[2].split() == ["顾问任务", "Mei", "3", "1", "33.3%", "1", "1", "1"]
    assert desk.ok("tasks", "--rates", "--days", 2).splitlines()[2].split()[2:4] == ["1", "0"]  # today and yesterday
    assert "no tasks made in the last 1 day" in desk.ok("tasks", "--rates", "--days", 1, at="2025-06-20T04:00:00Z")


@pytest.mark.slow
def test_s1_19_whom_nobody_has_cared_for_is_asked_of_the_best_level_or_another(desk: Shop) -> None:
    level = desk.json("tiers", "生命周期")[0]["levels"]
    of = next(one["level"] for one in level if one["users"])
    assert desk.json("tasks", "--without", "--level", of, "--days", 2)["listed"] == ["小王"]
    assert desk.json("tasks", "--without", "--level", of, "--days", 4)["listed"] == []
    assert "It can be" in desk.sop("tasks", "--without", "--level", "nobody").err
