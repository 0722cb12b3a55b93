"""Rows about the command line: how fast it starts, and how long a large project takes to check."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from benchmarks.measuring import Contestant, Figure, alternate
from benchmarks.stock import PROJECT, files_of
from sop_engine.language.load import check

LINES = 4_000


def starting(times: int) -> Iterator[Figure]:
    """`sop --help` and `sop check` beside Python with click, the library the command line is made with."""
    sop = [sys.executable, "-c", "from sop_engine.cli.main import main; main()"]
    found = alternate(
        {
            "help": _command(*sop, "--help"),
            "check": _command(*sop, "check", "--project", str(PROJECT)),
            "click": _command(sys.executable, "-c", "import click"),
        },
        times,
    )
    for name, words in (("help", "sop --help"), ("check", "sop check, a small project")):
        yield Figure(words, None, found[name], found["click"], "python -c 'import click'", "≤ 4, ≤ 300 ms")


def _command(*words: str) -> Contestant:
    def run() -> None:
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    return run


def checking(times: int, folder: Path) -> Iterator[Figure]:
    """Checking a project of 4,000 lines, lints and all, beside PyYAML reading the same text; then with the start of Python."""
    files = large_project(LINES)
    for name, text in files.items():
        place = folder / "large" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    sop = [sys.executable, "-c", "from sop_engine.cli.main import main; main()"]
    errors = [p for p in check(files).problems if p.severity == "error"]

    def read() -> None:
        for name, text in files.items():
            if name.endswith(".yml"):
                list(yaml.compose_all(text, Loader=yaml.SafeLoader))

    found = alternate(
        {"ours": lambda: check(files), "yaml": read, "sop": _command(*sop, "check", "--project", str(folder / "large"))}, times
    )
    notes = {"lines": sum(t.count("\n") for t in files.values()), "documents": _documents(files), "errors": len(errors)}
    name = f"check of a project of {LINES:,} lines"
    yield Figure(f"{name}, in a process", None, found["ours"], found["yaml"], "PyYAML composing it", "≤ 1 s", notes=notes)
    yield Figure(f"{name}, sop check", None, found["sop"], found["yaml"], "PyYAML composing it", "≤ 1 s", notes=notes)


def _documents(files: dict[str, str]) -> int:
    return sum(text.count("\n---\n") + 1 for name, text in files.items() if name.endswith(".yml"))


def large_project(lines: int) -> dict[str, str]:
    """The small project with its metrics, tier, playbook and text again and again under other names, until it is so long."""
    files = dict(files_of())
    shop = files["playbooks/shop.yml"]
    _, _, metrics, tier, playbook = shop.split("\n---\n")
    text = files["templates/thanks_letter.md"]
    names = [line.split(":")[0].strip() for line in metrics.splitlines() if line.startswith("  ")]
    again = "\n---\n".join((metrics, tier, playbook))
    for number in range(1, 1 + (lines - shop.count("\n")) // (again.count("\n") + text.count("\n"))):
        part = again
        for name in ("thanks_letter", "thanks", "value", *sorted(names, key=len, reverse=True)):
            part = _renamed(part, name, f"{name}_no{number}")
        files[f"playbooks/shop_{number}.yml"] = part + "\n"
        files[f"templates/thanks_letter_{number}.md"] = _renamed(text, "thanks_letter", f"thanks_letter_no{number}")
    return files


def _renamed(text: str, name: str, other: str) -> str:
    return re.sub(rf"(?<![\w.{{]){name}(?!\w)", other, text)
