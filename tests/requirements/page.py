"""Which tests hold which row of the requirements, and the page that says so: docs/requirements.md."""

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import yaml

from tests.test_house import ROOT, name_of, python_files, tree_of

DATA = ROOT / "tests" / "requirements" / "rows.yml"
PAGE = ROOT / "docs" / "requirements.md"
IDS = re.compile(r"test((?:_(?:s0|s1|s2|s3|x|c|q)(?:_\d\d)+)+)_")
SOURCES = {
    "S0": "Followers of an account",
    "S1": "Customers of a private domain",
    "S2": "Six models",
    "S3": "Personalised tiering",
    "X": "What the sources leave open or contradict",
    "C": "The shape of the product",
    "Q": "Quoted figures",
}
PRIORITIES = {"A": "behaviour that a test pins", "B": "shipped content, reports, checks", "C": "documentation"}


@dataclass(frozen=True)
class Row:
    """One row: its theme, its priority, and what it asks in our own words."""

    id: str
    theme: str
    priority: str
    asks: str


@dataclass(frozen=True)
class Held:
    """A test that holds a row: its name and file."""

    test: str
    file: str


@cache
def _data() -> Mapping[str, Mapping[str, object]]:
    return yaml.safe_load(DATA.read_text("utf-8"))


def rows() -> list[Row]:
    """Every row, in order."""
    return [Row(row, *map(str, told)) for row, told in _data()["rows"].items()]


def not_held() -> Mapping[str, str]:
    """Rows without a test, each with the reason."""
    return {row: str(why) for row, why in _data()["not_held"].items()}


def in_part() -> Mapping[str, str]:
    """Rows of which something is not held, each with the reason."""
    return {row: str(why) for row, why in _data()["in_part"].items()}


def ids_of(test: str) -> list[str]:
    """The rows in the name of a test: `test_s2_05_06_x_01_…` is S2-05, S2-06 and X-01."""
    found, source = [], ""
    for part in (IDS.match(test) or ["", ""])[1].split("_"):
        if part.isdigit():
            found.append(f"{source}-{part}")
        else:
            source = part.upper()
    return found


@cache
def held_by_row() -> Mapping[str, tuple[Held, ...]]:
    """By row: the tests named after it."""
    found: dict[str, list[Held]] = {}
    for test, file in _tests():
        for row in ids_of(test):
            found.setdefault(row, []).append(Held(test, file))
    return {row: tuple(held) for row, held in found.items()}


def _tests() -> Iterator[tuple[str, str]]:
    for file in python_files("tests"):
        if "test_" in file.name:
            yield from ((node.name, name_of(file)) for node in tree_of(file).body if isinstance(node, ast.FunctionDef))


def page() -> str:
    """The whole page."""
    listed = rows()
    parts = [
        "# Requirements and the tests that hold them\n",
        "What was asked of the engine, row by row, in short words; the tests are named after their row.",
        "`python -m tests.requirements` writes this page from `tests/requirements/rows.yml` and the names of the tests.",
        "Rows about a playbook are shown on the shipped one, or by a small one written for the test (`tests/requirements/books.yml`);",
        "what the shipped playbooks do besides is held by their own stories.\n",
        *_counts(listed),
    ]
    for source, title in SOURCES.items():
        parts += [f"\n## {title}\n", "| row | | what it asks | tests | file |", "|---|---|---|---|---|"]
        parts += [_line(row) for row in listed if row.id.startswith(f"{source}-")]
    parts += ["\n## Held in part\n", "| row | what is not held |", "|---|---|"]
    parts += [f"| {row} | {why} |" for row, why in in_part().items()]
    parts += ["\n## Not held by a test yet\n", "| row | | what it asks | why |", "|---|---|---|---|"]
    parts += [f"| {row.id} | {row.priority} | {row.asks} | {not_held()[row.id]} |" for row in listed if row.id in not_held()]
    return "\n".join(parts) + "\n"


def _counts(listed: list[Row]) -> list[str]:
    every, tested = Counter(row.priority for row in listed), Counter(row.priority for row in listed if row.id in held_by_row())
    table = ["| priority | tested | rows |", "|---|---|---|"]
    return table + [f"| {priority}: {means} | {tested[priority]} | {every[priority]} |" for priority, means in PRIORITIES.items()]


def _line(row: Row) -> str:
    held = held_by_row().get(row.id, ())
    files = dict.fromkeys(test.file for test in held)
    tests = "<br>".join(f"`{test.test}`" for test in held) or "–"
    links = "<br>".join(f"[{file.removeprefix('tests/')}](../{file})" for file in files) or "–"
    return f"| {row.id} | {row.priority} | {row.asks} | {tests} | {links} |"
