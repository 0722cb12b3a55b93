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
    "F34": ("test_an_unclear_answer_is_never_repeated_and_never_tried_on_another_channel",),
    "F36": ("test_a_provider_that_says_when_is_asked_again_then",),
    "F39": ("test_one_users_failure_is_that_users_alone",),
    "F41": ("test_a_receipt_tells_that_it_was_sent_even_after_it_was_given_up",),
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
    "F57": ("test_hours_over_midnight_are_open_at_night", "test_a_touch_is_late_when_nobody_worked_and_the_others_are_sent"),
    "F58": ("test_a_template_that_would_loop_for_ever_cannot_be_written_at_all", "test_an_alias_bomb_is_refused_where_it_stands"),
    "F67": ("test_a_channel_that_is_not_set_up_sends_nothing_and_is_tried_again",),
    "F70": ("test_editing_the_shares_moves_nobody_who_has_started_not_even_at_the_next_start",),
    "F72": ("test_a_second_run_or_tick_on_the_same_database_is_refused",),
}
"""Tests that hold a row and are named after what they say."""

NOT_HERE: Mapping[str, str] = {
    "F07": "TERM at every crash point needs a worker process that stops at a point; TERM alone is in the end-to-end tests",
    "F08": "killing one child of the pool is not written yet; killing the whole tree is (F09)",
    "F16": "a broker that hangs is not written yet",
    "F18": "an old snapshot copied back is not written yet",
    "F22": "a broker whose memory is full is not written yet",
    "F37": "a provider that is down for two hours: the circuit has unit tests, the scenario is not written yet",
    "F38": "a slow provider beside a quick one needs real workers and minutes",
    "F42": "ten thousand racing opt-outs: `make race`",
    "F52": "there is no coupon service yet: codes come from pools of our own",
    "F54": "clocks apart: the doctor's part is tested; stopping at 30 s is not in the engine yet",
    "F56": "calendars that change while touches are planned are not written yet",
    "F59": "this version cannot erase users",
    "F61": "belongs to a nightly run",
    "F63": "the console is not there yet",
    "F65": "this version cannot merge users",
    "F68": "links are not tracked yet: the console's part",
    "F71": "a batch with a hanging call over real seconds is not written yet",
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
