"""Collects every message about a project: where, what, and what to do instead."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sop_engine.core.errors import Problem

Path = tuple[str, ...]
"""Where a value stands, by names: (document kind, name, key, …), as in ("playbook", "会员日", "steps", "通知", "send")."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A stretch of a file: line and column count from 1, columns and length in characters."""

    file: str
    line: int
    column: int
    length: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass
class Report:
    """Every message so far. `lines` holds the text of each file, for `# allow SOPnnn: reason` and for showing the line."""

    lines: Mapping[str, Sequence[str]] = field(default_factory=dict)
    problems: set[Problem] = field(default_factory=set)

    def add(self, place: Place, code: int, sentence: str, severity: str = "error") -> None:
        """Add a message, unless it is a judgement (603, 605, 613, 7nn) that a comment with a reason allows on its line."""
        source = self._line(place)
        if (code in (603, 605, 613) or code >= 700) and _allowed(source, code):
            return
        self.problems.add(Problem(place.file, place.line, place.column, severity, f"SOP{code}", sentence, source, place.length))

    def warn(self, place: Place, code: int, sentence: str) -> None:
        """Add a warning."""
        self.add(place, code, sentence, "warning")

    def inform(self, place: Place, code: int, sentence: str) -> None:
        """Add an info."""
        self.add(place, code, sentence, "info")

    def sorted(self) -> list[Problem]:
        """All messages by file, line and column."""
        return sorted(self.problems)

    def has_errors(self) -> bool:
        """Whether any message is an error."""
        return any(p.severity == "error" for p in self.problems)

    def _line(self, place: Place) -> str:
        lines = self.lines.get(place.file, ())
        return lines[place.line - 1] if 0 < place.line <= len(lines) else ""


def _allowed(source: str, code: int) -> bool:
    _, found, reason = source.partition(f"# allow SOP{code}:")
    return bool(found) and bool(reason.strip())


def did_you_mean(word: str, names: Iterable[str], *, always_list: bool = False) -> str:
    """The tail of a message: ` Did you mean 'x'?` and, without a suggestion or with at most 8 names, ` It can be: a, b.`"""
    listed = list(dict.fromkeys(names))
    close = _closest(word, listed)
    text = f" Did you mean '{close}'?" if close else ""
    if listed and (always_list or not close or len(listed) <= 8):
        text += f" It can be: {', '.join(listed)}."
    return text


def _closest(word: str, names: Sequence[str]) -> str | None:
    close = difflib.get_close_matches(word, names, 1, 0.6)
    if close:
        return close[0]
    best = max(names, key=lambda n: _share(word, n), default=None)
    if best is None or not word:
        return None
    common = sum(1 for c in word if c in best)
    return best if common * 2 >= len(word) and common else None


def _share(word: str, name: str) -> float:
    common = len(set(word) & set(name))
    return common / len(set(word) | set(name)) if common else 0.0
