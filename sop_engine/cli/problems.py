"""Writes the problems of a project: for people with the line and ^^^ below it, as JSON, SARIF, or annotations of a GitHub run."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sop_engine.cli.output import in_json, many, paint, width
from sop_engine.core.errors import Problem

COLOURS = {"error": "red", "warning": "yellow", "info": "blue"}
LEVELS = {"error": "error", "warning": "warning", "info": "note"}  # of SARIF
COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}  # of GitHub


def in_text(problems: Iterable[Problem]) -> str:
    """Each problem as `file:line:column: severity CODE: sentence`, its line, and ^^^ under what is meant."""
    return "\n".join(_with_line(p) for p in problems)


def _with_line(problem: Problem) -> str:
    place = f"{problem.file}:{problem.line}:{problem.column}: "
    head = f"{place}{paint(problem.severity, COLOURS[problem.severity])} {problem.code}: {problem.sentence}"
    if not problem.source.strip():
        return head
    line = _printable(problem.source)
    start = problem.column - 1
    marks = "^" * max(1, width(line[start : start + problem.length]))
    return f"{head}\n{line}\n{' ' * width(line[:start])}{marks}"


def _printable(line: str) -> str:
    """The line with a space for each tab, and a `?` for each byte that was no text: as wide as it is counted."""
    return line.replace("\t", " ").encode("utf-8", "replace").decode("utf-8")


def count_of(problems: Iterable[Problem], severity: str) -> str:
    """`2 errors`."""
    return many(sum(p.severity == severity for p in problems), severity)


def summary(problems: Sequence[Problem], files: int) -> str:
    """`1 error, 3 warnings, 12 infos in 92 files.`"""
    counts = [count_of(problems, severity) for severity in ("error", "warning", "info")]
    return f"{', '.join(counts)} in {many(files, 'file')}."


def in_sarif(problems: Iterable[Problem]) -> str:
    """SARIF 2.1.0, as code scanners read it."""
    results = [_result(p) for p in problems]
    rules = [{"id": code} for code in sorted({r["ruleId"] for r in results})]
    driver = {"name": "sop check", "rules": rules}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(log, ensure_ascii=False, indent=2)


def _result(problem: Problem) -> dict[str, Any]:
    region = {"startLine": problem.line, "startColumn": problem.column, "endColumn": problem.column + problem.length}
    location = {"physicalLocation": {"artifactLocation": {"uri": problem.file}, "region": region}}
    message = {"text": problem.sentence}
    return {"ruleId": problem.code, "level": LEVELS[problem.severity], "message": message, "locations": [location]}


def in_github(problems: Iterable[Problem]) -> str:
    """Workflow commands that GitHub shows beside the line."""
    return "\n".join(
        f"::{COMMANDS[p.severity]} file={_escaped(p.file, ',:')},line={p.line},col={p.column},"
        f"endColumn={p.column + p.length},title={p.code}::{_escaped(p.sentence)}"
        for p in problems
    )


def _escaped(text: str, more: str = "") -> str:
    for sign in "%\r\n" + more:
        text = text.replace(sign, f"%{ord(sign):02X}")
    return text


def _in_json(problems: Iterable[Problem]) -> str:
    return in_json([replace(p, source=_printable(p.source)) for p in problems])


WRITERS: Mapping[str, Callable[[Sequence[Problem]], str]] = {"json": _in_json, "sarif": in_sarif, "github": in_github}
