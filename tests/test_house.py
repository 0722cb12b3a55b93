"""The house holds: arrows point down, files stay small, nobody outside the doors reads the clock, SQL stays in store."""

import ast
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from statistics import median

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parent.parent
ENGINE = ROOT / "sop_engine"
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
ROOMS = {room for row in CONTRACTS[0]["layers"] for room in row.split(" | ")}
DOORS = ("cli", "console", "worker")
FORBIDDEN_NAMES = re.compile(r"(^|_)(utils?|helpers?|common|misc|managers?|services?|handlers?|types|data)$")
SQL = re.compile(r"\s*(SELECT|INSERT INTO|UPDATE \w+ SET|DELETE FROM|(CREATE|ALTER|DROP) (TABLE|INDEX)|WITH \w+ AS)\s")
CLOCKS = {
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "func": {"now", "current_timestamp", "localtimestamp"},
    "time": {"time", "time_ns", "localtime", "gmtime", "ctime"},
}
TEXT = {".py", ".md", ".yml", ".yaml", ".toml", ".txt", ".lark", ".mako", ".html", ".css", ".js", ".sh", ".json", ".cfg", ""}


def python_files(*folders: str) -> list[Path]:
    """Every Python file in these folders of the project."""
    return sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"), str(file))


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def room_of(file: Path) -> str:
    return file.relative_to(ENGINE).parts[0].removesuffix(".py")


@cache
def nodes(file: Path) -> tuple[ast.AST, ...]:
    """Every node of a file."""
    return tuple(ast.walk(tree_of(file)))


def places(files: Iterable[Path], caught: Callable[[ast.AST], bool]) -> list[str]:
    """Where such nodes are, for the message."""
    return [f"{name_of(f)}:{getattr(node, 'lineno', 1)}" for f in files for node in nodes(f) if caught(node)]


def test_imports_point_down_and_core_touches_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    code = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert code == 0, capsys.readouterr().out


def test_there_are_no_other_rooms() -> None:
    found = {room_of(p) for p in ENGINE.iterdir() if p.suffix == ".py" or (p.is_dir() and (p / "__init__.py").exists())}
    assert found - {"__init__"} <= ROOMS


def test_no_file_has_a_name_that_says_nothing() -> None:
    empty = [f for f in python_files("sop_engine") if FORBIDDEN_NAMES.search(f.stem) or FORBIDDEN_NAMES.search(f.parent.name)]
    assert [name_of(f) for f in empty] == []


def test_no_file_is_longer_than_300_lines() -> None:
    sizes = {name_of(f): len(f.read_text("utf-8").splitlines()) for f in python_files("sop_engine", "tests", "benchmarks")}
    assert {name: lines for name, lines in sizes.items() if lines > 300} == {}


def test_half_of_the_files_have_at_most_100_lines() -> None:
    assert median(len(f.read_text("utf-8").splitlines()) for f in python_files("sop_engine") if f.name != "__init__.py") <= 100


def test_the_first_line_of_every_file_says_what_it_does() -> None:
    def says(file: Path) -> bool:
        first = file.read_text("utf-8").partition("\n")[0]
        return first.startswith('"""') and len(first.strip('"').split()) >= 3

    assert [name_of(f) for f in python_files("sop_engine", "tests", "benchmarks") if not says(f)] == []


def public_definitions(file: Path) -> Iterator[tuple[ast.FunctionDef | ast.ClassDef, str]]:
    """Public functions, classes and methods of public classes."""
    for node in tree_of(file).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node, f"{name_of(file)}:{node.lineno} {node.name}"
            inner = node.body if isinstance(node, ast.ClassDef) else []
            for method in inner:
                if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                    yield method, f"{name_of(file)}:{method.lineno} {node.name}.{method.name}"


@pytest.mark.parametrize("room", ["core", "language", "actions"])
def test_whatever_is_public_says_what_it_returns_or_does(room: str) -> None:
    silent = [place for f in python_files(f"sop_engine/{room}") for node, place in public_definitions(f) if not ast.get_docstring(node)]
    assert silent == []


def reads_the_clock(node: ast.AST) -> bool:
    """`datetime.now`, `date.today`, `time.time`, `func.now`: called or handed on, and imported by name."""
    if isinstance(node, ast.ImportFrom):
        return node.module == "time" and any(name.name in CLOCKS["time"] for name in node.names)
    if not isinstance(node, ast.Attribute):
        return False
    owner = node.value.id if isinstance(node.value, ast.Name) else getattr(node.value, "attr", "")
    return node.attr in CLOCKS.get(owner, ())


def test_only_the_doors_read_the_clock() -> None:
    inside = [f for f in python_files("sop_engine") if room_of(f) not in DOORS]
    assert places(inside, reads_the_clock) == []


@pytest.mark.parametrize(
    ("source", "caught"),
    [
        ("datetime.now(UTC)", True),
        ("field(default_factory=datetime.utcnow)", True),
        ("dt.datetime.today()", True),
        ("from time import time", True),
        ("select(func.now())", True),
        ("situation.now", False),
        ("time.monotonic()", False),
    ],
)
def test_a_look_at_the_clock_is_recognised(source: str, caught: bool) -> None:
    assert any(reads_the_clock(node) for node in ast.walk(ast.parse(source))) is caught


def test_the_database_is_never_asked_for_the_time() -> None:
    words = re.compile(r"CURRENT_(TIMESTAMP|DATE|TIME)\b|\bnow\(\)|datetime\('now'", re.IGNORECASE)
    assert [place for place, text in strings("store") if words.search(text)] == []


def strings(*rooms: str) -> Iterator[tuple[str, str]]:
    """Every string of these rooms that is not a docstring."""
    for file in (f for f in python_files("sop_engine") if room_of(f) in rooms):
        bare = {id(node.value) for node in nodes(file) if isinstance(node, ast.Expr)}
        for node in nodes(file):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare:
                yield f"{name_of(file)}:{node.lineno}", node.value


def test_sql_is_spoken_in_store_alone() -> None:
    assert [place for place, text in strings(*(ROOMS - {"store"})) if SQL.match(text)] == []


def test_the_broker_never_holds_the_future() -> None:
    def later(node: ast.AST) -> bool:
        return isinstance(node, ast.Call) and any(k.arg in ("eta", "countdown") for k in node.keywords)

    assert places(python_files("sop_engine", "tests", "benchmarks"), later) == []


def test_tests_do_not_sleep() -> None:
    """The launcher alone waits for a server to answer, with a deadline."""

    def sleeps(node: ast.AST) -> bool:
        return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "sleep"

    assert places([f for f in python_files("tests") if f.name != "servers.py"], sleeps) == []


def own_files() -> Iterator[Path]:
    """Every text file that belongs to the project."""
    folders = ("sop_engine", "tests", "benchmarks", "docs", "playbooks", "templates", ".ci")
    inside = (p for folder in folders for p in (ROOT / folder).rglob("*") if not {"__pycache__", "node_modules"} & set(p.parts))
    top = (p for p in ROOT.iterdir() if p.name not in (".git", ".coverage"))
    yield from (p for p in (*inside, *top) if p.is_file() and p.suffix in TEXT)


def test_nothing_names_one_machine_or_one_package_registry() -> None:
    machine = "|".join("/" + folder + "/" for folder in ("wor" + "k", "far" + "m", "tm" + "p", "roo" + "t"))
    hosts = "|".join(("pytho" + r"nhosted\.", "pyp" + r"i\.org", r"registry\.np" + "mjs", r"deb\.deb" + "ian", "/hom" + r"e/\w+/"))
    forbidden = re.compile(rf"(?<![A-Za-z0-9._)}}*-])({machine})[A-Za-z.]|{hosts}|\.librar" + "y/")
    lines = ((name_of(f), n, line) for f in own_files() for n, line in enumerate(f.read_text("utf-8").splitlines(), 1))
    assert [f"{name}:{n}" for name, n, line in lines if forbidden.search(line)] == []


def test_the_top_level_is_the_one_that_was_agreed() -> None:
    for name in ("pyproject.toml", "docker-compose.yml", "sop_engine", "templates", "playbooks", "tests", "README.md", "Makefile", "docs"):
        assert (ROOT / name).exists(), name
    assert {p.suffix for p in (ROOT / "templates").rglob("*") if p.is_file()} <= {".md"}
    assert {p.suffix for p in (ROOT / "playbooks").rglob("*") if p.is_file()} <= {".yml"}
