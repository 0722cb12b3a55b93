"""Everything users are placed in, in the order it must be asked: tiers, and the conditions flows start by.

A flow that starts when a condition becomes true (or stops being true) is watched by a hidden model of one level, `yes`,
so that entering and leaving are facts of one kind for tiers and conditions alike.
"""

from collections.abc import Iterable, Iterator

from sop_engine.core.conditions import Condition, Ref, refs_of
from sop_engine.core.metrics import Metric
from sop_engine.core.playbook import Flow
from sop_engine.core.project import Project
from sop_engine.core.tiers import Level, Tier

WATCH = "start:"
YES = "yes"


def watch_name(flow_id: str) -> str:
    """The name of the hidden model that watches the start condition of a flow."""
    return WATCH + flow_id


def watched(flow: Flow) -> tuple[str, str | None] | None:
    """The (model, level) whose entering (for `leave`: leaving) starts the flow; None when something else starts it."""
    start = flow.start
    if start.kind == "level":
        return start.tier, start.level
    if start.kind in ("enter", "leave"):
        return watch_name(flow.id), YES
    return None


def models_in_order(project: Project) -> tuple[Tier, ...]:
    """Tiers so that each comes after those it reads (through metrics and tags too), then the watches, in file order."""
    ordered: dict[str, Tier] = {}

    def add(tier: Tier) -> None:
        if tier.name in ordered:
            return
        for name in tiers_read(project, tier_conditions(tier)):
            if name != tier.name:
                add(project.tiers[name])
        ordered.setdefault(tier.name, tier)

    for tier in project.tiers.values():
        add(tier)
    return (*ordered.values(), *watches(project.flows.values()))


def watches(flows: Iterable[Flow]) -> tuple[Tier, ...]:
    """The hidden models of the flows that start by a condition."""
    found = [(f, f.start.condition) for f in flows if f.start.kind in ("enter", "leave")]
    return tuple(Tier(watch_name(f.id), (Level(YES, c),)) for f, c in found if c is not None)


def tier_conditions(tier: Tier) -> tuple[Condition, ...]:
    """Every condition of a model."""
    rules = [c for level in tier.levels for c in (level.rule, level.keep) if c is not None]
    return (*rules, tier.only) if tier.only is not None else tuple(rules)


def tiers_read(project: Project, conditions: Iterable[Condition]) -> list[str]:
    """Tiers these conditions read, directly or through metrics and tags."""
    seen: dict[tuple[str, str], Ref] = {}
    for condition in conditions:
        for ref in refs_of(condition):
            _collect(project, ref, seen)
    return [name for space, name in seen if space == "tier"]


def _collect(project: Project, ref: Ref, seen: dict[tuple[str, str], Ref]) -> None:
    space = "tier" if ref.space.startswith("tier") else "metric" if ref.space == "start" else ref.space
    if (space, ref.name) in seen:
        return
    seen[space, ref.name] = ref
    for inner in _inside(project, space, ref.name):
        _collect(project, inner, seen)


def _inside(project: Project, space: str, name: str) -> Iterator[Ref]:
    if space == "metric" and name in project.metrics:
        yield from metric_reads(project, project.metrics[name])
    elif space == "tag" and name in project.tags:
        yield from refs_of(project.tags[name].when)


def metric_reads(project: Project, metric: Metric) -> Iterator[Ref]:
    """Names a metric is computed from: other metrics, attributes, tags, tiers (not events)."""
    yield from refs_of(metric.formula)
    yield from refs_of(metric.only)
    for name in metric.of:
        yield ref_to(project, name)


def ref_to(project: Project, name: str) -> Ref:
    """A typed reference to a metric, attribute, tag or tier by its plain name."""
    if name in project.metrics:
        return Ref("metric", name, project.metrics[name].kind)
    if name in project.tags:
        return Ref("tag", name, "flag")
    if name in project.tiers:
        return Ref("tier", name, "level")
    kind = project.attributes[name].type if name in project.attributes else "date" if name == "joined" else "text"
    return Ref("attribute", name, "text" if kind in ("phone", "email") else kind)
