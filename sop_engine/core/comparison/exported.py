"""Writes a report as plain values for JSON, and as rows for CSV; the same report always gives the same bytes."""

import csv
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from sop_engine.core.comparison.values import Report


def as_plain(value: Any) -> Any:
    """The value as JSON has it: full precision, unknown as null, never NaN."""
    if is_dataclass(value) and not isinstance(value, type):
        kept = [f for f in fields(value) if "hidden" not in f.metadata]
        pairs = [(f, getattr(value, f.name)) for f in kept]
        return {f.name: as_plain(v) for f, v in pairs if not (v is None and "only_if_known" in f.metadata)}
    if isinstance(value, Mapping):
        return {str(k): as_plain(v) for k, v in value.items()}
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [as_plain(v) for v in value]
    return value


def as_json(report: Report) -> str:
    """One JSON object."""
    return json.dumps(as_plain(report), ensure_ascii=False, indent=1, allow_nan=False)


class _Lines:
    """Collects what the csv module writes: this room opens no files."""

    def __init__(self) -> None:
        self.text: list[str] = []

    def write(self, line: str) -> int:
        """Keep a line."""
        self.text.append(line)
        return len(line)


def as_csv(report: Report) -> str:
    """Long form: section, name, against, figure, value. One figure a row, so that any spreadsheet can pivot it."""
    lines = _Lines()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(["section", "name", "against", "figure", "value"])
    writer.writerows(_rows(report))
    return "".join(lines.text)


def _rows(report: Report) -> Iterator[list[object]]:
    yield ["answer", report.answer.verdict, "", "sentence", report.answer.sentence["en"]]
    for arm in report.arms:
        yield from ([f"arm:{arm.role}", arm.name, "", figure, value] for figure, value in _figures(arm))
    for c in report.comparisons:
        yield from ([f"comparison:{c.kind}", c.variant, c.control, figure, value] for figure, value in _figures(c))
        for day, n, d, low, high, m in c.path or ():
            told = zip(("n", "difference", "low", "high", "multiplier"), (n, d, low, high, m), strict=True)
            yield from (["day:" + day, c.variant, c.control, figure, value] for figure, value in told)
    for s in report.strata:
        yield ["stratum", s.name, s.variant, "difference", s.difference]
        yield ["stratum", s.name, s.variant, "p_adjusted", s.p_adjusted]
    for g in report.guardrails:
        yield from (["guardrail", g.name, g.variant, figure, value] for figure, value in _figures(g) if figure not in ("name", "variant"))


def _figures(value: Any) -> Iterator[tuple[str, object]]:
    """Fields that are one figure; those of parts with the name of the part before."""
    for key, one in as_plain(value).items():
        if isinstance(one, dict):
            yield from ((f"{key}.{k}", v) for k, v in one.items() if not isinstance(v, dict | list))
        elif not isinstance(one, list) and key not in ("name", "role", "kind", "variant", "control"):
            yield key, one
