"""The fault matrix as data: what each row is, which tests without its number hold it, and which rows have none yet, with why."""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from tests.test_house import name_of, python_files, tree_of

ROWS = tuple(f"F{n:02}" for n in range(1, 73))

ALSO: Mapping[str, Sequence[str]] = {
    "F09": ("test_workers_and_scheduler_may_be_killed_at_any_moment",),
    "F11": ("test_workers_and_scheduler_may_be_killed_at_any_moment",),
    "F12": ("test_a_frozen_leader_is_replaced_and_writes_nothing_when_it_wakes",),
    "F33": ("test_an_unclear_answer_is_never_repeated_and_never_tried_on_another_channel",),
    "F39": ("test_one_users_failure_is_that_users_alone",),
    "F43": ("test_an_order_that_comes_during_the_intent_waits_for_it_and_then_ends_the_run",),
    "F44": ("test_what_must_hold_holds_whatever_happens",),
    "F46": ("test_an_import_of_history_fires_nothing",),
    "F47": (
        "test_running_users_stay_on_their_version_unless_they_are_moved",
        "test_runs_of_a_removed_flow_go_on_to_their_end_unless_they_are_stopped",
    ),
    "F51": (
        "test_two_workers_never_promise_the_last_code_twice",
        "test_a_pool_of_ten_serves_ten_users_and_the_eleventh_is_promised_nothing",
    ),
    "F53": ("test_a_code_counts_as_used_once_and_is_over_after_its_last_day",),
    "F55": ("test_a_day_the_zone_left_out_is_not_sent_twice", "test_hours_are_read_off_the_clock_on_the_wall_when_it_is_moved"),
    "F58": ("test_a_template_that_would_loop_for_ever_cannot_be_written_at_all", "test_an_alias_bomb_is_refused_where_it_stands"),
    "F65": (
        "test_x_13_a_message_that_is_being_sent_keeps_its_outcome",
        "test_x_13_two_workers_unite_the_same_users_once",
        "test_x_13_a_failure_in_the_middle_leaves_two_users_as_they_were",
    ),
    "F70": ("test_editing_the_shares_moves_nobody_who_has_started_not_even_at_the_next_start",),
    "F72": ("test_a_second_run_or_tick_on_the_same_database_is_refused",),
}
"""Tests that hold a row and are named after what they say."""

NOT_HERE: Mapping[str, str] = {
    "F59": "this version cannot erase users",
    "F63": "the console is not there yet",
}


@cache
def rows_with_tests() -> Mapping[str, Sequence[str]]:
    """The tests that carry a row's number, in their name or docstring, or stand in ALSO."""
    found: dict[str, list[str]] = {row: [] for row in ROWS}
    for name, place, said in _tests():
        numbers = {f"F{n}" for n in re.findall(r"(?:^|_)f(\d\d)(?=_|$)", name)} | set(re.findall(r"\bF\d\d\b", said))
        for row in [*numbers, *(row for row, names in ALSO.items() if name in names)]:
            if row in found and f"{place}::{name}" not in found[row]:
                found[row].append(f"{place}::{name}")
    return found


def _tests() -> Iterator[tuple[str, str, str]]:
    """Every test function and file of tests: its name, place and docstring."""
    for file in python_files("tests"):
        yield "", name_of(file), (ast.get_docstring(tree_of(file)) or "") if file.stem.startswith("test_") else ""
        for node in tree_of(file).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield node.name, name_of(file), ast.get_docstring(node) or ""


def names_of_tests() -> set[str]:
    """The names of all tests."""
    return {name for name, _, _ in _tests()}
