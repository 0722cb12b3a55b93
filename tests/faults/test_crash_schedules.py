"""F01 to F05: a process dies at every point of a touch's life, and again in the recovery; nothing is sent twice or lost."""

import ast
from pathlib import Path

import pytest

from sop_engine.store.crash_points import POINTS
from tests.conftest import Databases
from tests.faults.crashes import Bench, Tally, explore
from tests.faults.provider_file import ABILITIES
from tests.test_docs import called
from tests.test_house import nodes, python_files

pytestmark = pytest.mark.slow

FEW = 24


@pytest.mark.parametrize("ability", ABILITIES)
def test_f01_f02_f03_f04_f05_every_crash_on_sqlite_sends_once_or_parks(tmp_path: Path, ability: str) -> None:
    bench, tally = Bench(tmp_path, ability), Tally()
    bench.prepare()
    explore(bench, tally, most=FEW)
    assert (tally.duplicates, tally.losses, tally.wrong) == ([], [], [])
    assert tally.unknown > 0 if ability == "opaque" else tally.unknown == 0 or ability == "keyed for a while"
    assert {"after_release_commit", "after_intent_commit", "after_call", "before_settle_commit", "provider_after_taking"} <= tally.points


def test_f01_f02_f03_f04_f05_every_crash_on_postgresql_sends_once_or_parks(tmp_path: Path, migrated_postgres: Databases) -> None:
    url = migrated_postgres.copy()
    for ability in ("keyed for ever", "opaque"):
        folder = tmp_path / ability
        folder.mkdir()
        bench, tally = Bench(folder, ability, url), Tally()
        bench.prepare()
        explore(bench, tally, most=10)
        assert (tally.duplicates, tally.losses, tally.wrong) == ([], [], [])
    migrated_postgres.drop(url.rpartition("/")[2])


def test_f40_a_worker_that_is_away_longer_than_the_key_is_known_sends_no_second_time(tmp_path: Path) -> None:
    bench, tally = Bench(tmp_path, "keyed for a while"), Tally()
    bench.prepare()
    explore(bench, tally, most=12, away=11)
    assert (tally.duplicates, tally.losses, tally.wrong) == ([], [], [])
    assert tally.unknown > 0


def test_every_point_in_the_engine_is_listed_with_what_has_just_happened_there() -> None:
    calls = [n for f in python_files("sop_engine") for n in nodes(f) if isinstance(n, ast.Call) and called(n) == "cp"]
    named = {arg.value for call in calls for arg in call.args if isinstance(arg, ast.Constant)}
    assert named == set(POINTS)
