"""Finds what a condition that holds rests on: the metrics that are counted from events, and the tags that were given."""

from collections.abc import Iterator

from sop_engine.core.conditions import And, Condition, Facts, Not, Or, Ref, holds, refs_of
from sop_engine.core.metrics import Metric
from sop_engine.core.models import metric_reads
from sop_engine.core.project import Project


def rests_on(project: Project, condition: Condition | None, facts: Facts | None) -> tuple[Ref, ...]:
    """Metrics of events and tags without a rule that a condition reads, each once, in the order they are read.

    With the facts of a user only what the parts that hold read; what must not be is no evidence. Of a metric that is the highest or
    lowest of several it is the one that is.
    """
    found: dict[tuple[str, str], Ref] = {}
    for ref in _of(condition, facts):
        _follow(project, ref, facts, found)
    return tuple(ref for ref in found.values() if _is_evidence(project, ref))


def names_behind(project: Project, condition: Condition | None) -> set[str]:
    """Every name that has to be known to ask it."""
    found: dict[tuple[str, str], Ref] = {}
    for ref in refs_of(condition):
        _follow(project, ref, None, found)
    return {ref.key for ref in found.values()}


def _of(condition: Condition | None, facts: Facts | None) -> Iterator[Ref]:
    if condition is None or facts is None:
        yield from refs_of(condition)
        return
    match condition:
        case _ if not holds(condition, facts):
            return
        case Not():
            return
        case And(parts) | Or(parts):
            for part in parts:
                yield from _of(part, facts)
        case _:
            yield from refs_of(condition)


def _follow(project: Project, ref: Ref, facts: Facts | None, found: dict[tuple[str, str], Ref]) -> None:
    if (ref.space, ref.key) in found:
        return
    found[ref.space, ref.key] = ref
    if ref.space == "metric":
        inside = list(_inside(project, project.metrics[ref.name], facts))
    elif ref.space == "tag":
        inside = list(_of(project.tags[ref.name].when, facts))
    else:
        inside = []
    for one in inside:
        _follow(project, one, facts, found)


def _inside(project: Project, metric: Metric, facts: Facts | None) -> Iterator[Ref]:
    chosen = facts.get(metric.name) if facts is not None and metric.verb in ("highest", "lowest") else None
    if chosen is None:
        yield from metric_reads(project, metric)
        return
    words = dict(zip(metric.names or metric.of, metric.of, strict=False))
    yield from (ref for ref in metric_reads(project, metric) if ref.name == words.get(str(chosen)))


def _is_evidence(project: Project, ref: Ref) -> bool:
    if ref.space == "metric":
        return bool(project.metrics[ref.name].events)
    return ref.space == "tag" and project.tags[ref.name].when is None
