"""Finds metrics, tags, tiers and groups of events that depend on themselves."""

from collections.abc import Iterator, Mapping

from sop_engine.core.conditions import Condition, Node, refs_of
from sop_engine.core.metrics import Metric
from sop_engine.core.project import Project
from sop_engine.core.tiers import Tier
from sop_engine.language.documents import Documents
from sop_engine.language.report import Report


def check_cycles(project: Project, documents: Documents, report: Report) -> None:
    """Report every circle of facts that read each other, once, at the name that comes first in the files."""
    reads = _reads(project)
    done: set[str] = set()
    for name in reads:
        circle = circle_through(name, reads, done)
        if circle:
            key = next(e[name].key for e in (documents.of(k) for k in ("metrics", "tags", "tier")) if name in e)
            report.add(key.place, 304, f"'{name}' depends on itself: {' -> '.join([*circle, name])}.")


def _reads(project: Project) -> dict[str, tuple[str, ...]]:
    reads: dict[str, tuple[str, ...]] = {n: tuple(_metric(m)) for n, m in project.metrics.items()}
    reads |= {n: tuple(_names(t.when)) for n, t in project.tags.items()}
    reads |= {n: tuple(_tier(t)) for n, t in project.tiers.items()}
    return reads


def _names(*nodes: Node | Condition | None) -> Iterator[str]:
    for node in nodes:
        yield from (ref.name for ref in refs_of(node) if ref.space != "field")


def _metric(metric: Metric) -> Iterator[str]:
    yield from metric.of
    yield from _names(metric.formula, metric.only)


def _tier(tier: Tier) -> Iterator[str]:
    yield from _names(tier.only, *(rule for level in tier.levels for rule in (level.rule, level.keep)))


def circle_through(start: str, reads: Mapping[str, tuple[str, ...]], done: set[str] | None = None) -> list[str]:
    """The names of a circle from `start` back to it, empty if there is none; `done`, which grows, are in no new circle."""
    done = set() if done is None else done
    path: list[str] = [start]
    waiting = [iter(reads[start])]
    seen = {start}
    while waiting:
        name = next(waiting[-1], None)
        if name is None:
            waiting.pop()
            path.pop()
        elif name == start:
            done.update(path)
            return path
        elif name in reads and name not in seen and name not in done:
            seen.add(name)
            path.append(name)
            waiting.append(iter(reads[name]))
    return []
