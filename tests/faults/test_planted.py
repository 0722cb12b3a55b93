"""The list of planted bugs is whole and fits the engine as it is; one of them is tried in full."""

from pathlib import Path

import pytest

from tests.faults.planted import PLANTS, ROOT, try_out
from tests.test_house import python_files, tree_of

NAMED = (
    "epoch check, lease, unique touch, fresh check, turn order, switch lock, intent before call, frozen body, key window, closed hours, "
    "cap condition, pool condition, code released on unclear, late rule, event id, signature"
)


def test_there_is_one_for_each_safeguard() -> None:
    assert sorted(p.safeguard for p in PLANTS) == sorted(NAMED.split(", "))


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.safeguard)
def test_the_safeguard_stands_where_it_is_planted(plant: object) -> None:
    one = next(p for p in PLANTS if p is plant)
    source = (ROOT / one.file).read_text("utf-8")
    assert [source.count(text) for text in (one.old, *(one.also or ())[:1])] == [1] * (1 + bool(one.also))


def test_the_tests_that_notice_exist() -> None:
    names = {n.name for f in python_files("tests") for n in tree_of(f).body if hasattr(n, "name")}
    wanted = [test.partition("::")[2] for plant in PLANTS for test in plant.tests if "::" in test]
    assert [start for start in wanted if not any(name.startswith(start) for name in names)] == []


@pytest.mark.slow
def test_a_planted_bug_is_caught(tmp_path: Path) -> None:
    assert try_out(next(p for p in PLANTS if p.safeguard == "cap condition"), tmp_path) == "caught"
