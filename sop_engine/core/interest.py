"""Which flows a move, an event or a moment concerns: the project turned the other way round, once per release."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from sop_engine.core.conditions import Condition, Ref, refs_of
from sop_engine.core.metrics import Metric
from sop_engine.core.models import YES, metric_reads, models_in_order, tier_conditions, watched
from sop_engine.core.playbook import Flow
from sop_engine.core.project import BUILT_IN_ATTRIBUTES, Project
from sop_engine.core.tiers import Placer, Tier

QUIET = "days without activity"  # a hidden metric: its name has spaces, so no project can clash with it
RUN_SPACES = frozenset({"event", "start", "step"})


def with_quiet_days(project: Project) -> Project:
    """The project with a hidden metric: local days since the last activity, or since joining."""
    quiet = Metric(QUIET, "days_since", "number", events=project.settings.activity, of=("joined",))
    return replace(project, metrics={**project.metrics, QUIET: quiet})


def user_names(conditions: Iterable[Condition | None]) -> frozenset[str]:
    """Keys of the user's facts these conditions read (not of the event, the start or a step)."""
    return frozenset(r.key for c in conditions for r in refs_of(c) if r.space not in RUN_SPACES and r.space != "field")


def known_names(project: Project, keys: Iterable[str]) -> frozenset[str]:
    """Those of these keys that the project knows. What an older version of a flow read may be gone by now: then it is unknown."""
    there = (project.attributes, BUILT_IN_ATTRIBUTES, project.metrics, project.tags, project.tiers)
    return frozenset(key for key in keys if any(key.split(".")[0] in names for names in there))


def held_names(flow: Flow) -> frozenset[str]:
    """Plain names whose value at the start the flow reads later, as `start.N`."""
    return frozenset(r.name for c in flow_conditions(flow) for r in refs_of(c) if r.space == "start")


def flow_conditions(flow: Flow) -> Iterator[Condition]:
    """Every condition asked while a run is open."""
    yield from (c for _, c in flow.exits)
    yield from (s.when for s in flow.steps if s.when is not None)
    yield from (g.enter for g in (flow.goal, *flow.counts) if g is not None and g.enter is not None)


@dataclass(frozen=True)
class Interest:
    """What concerns whom in one project."""

    project: Project
    by_model: dict[str, list[Flow]] = field(default_factory=dict)  # flows that start or end with a move of the model
    by_event: dict[str, list[Flow]] = field(default_factory=dict)  # flows an event of the kind starts
    timed: tuple[Flow, ...] = ()  # flows that start by a schedule or once
    _after: dict[frozenset[str], frozenset[str]] = field(default_factory=dict)
    asking: tuple[str, ...] = ()  # ids of flows with exits or goals that become true without an event

    @cached_property
    def models(self) -> tuple[Tier, ...]:
        """Tiers and watches in the order they are asked."""
        return models_in_order(self.project)

    @cached_property
    def placers(self) -> tuple[Placer, ...]:
        """The models, made ready to place one user at a time."""
        return tuple(Placer(model) for model in self.models)

    @cached_property
    def facts_read(self) -> dict[str, frozenset[str]]:
        """By model: keys of the facts its rules read."""
        return {m.name: user_names(tier_conditions(m)) for m in self.models}

    @cached_property
    def event_kinds(self) -> frozenset[str]:
        """Kinds of events that anything in the project looks at."""
        metrics = (kind for m in self.project.metrics.values() for kind in m.events)
        goals = (kind for f in self.project.flows.values() for g in (f.goal, *f.counts) if g for kind in g.events)
        return frozenset((*metrics, *goals, *self.by_event, *(t.inside[0] for t in self.project.tags.values() if t.inside)))

    @cached_property
    def undoing(self) -> frozenset[str]:
        """Kinds of events that take others back."""
        return frozenset(e.undone_by[0] for e in self.project.events.values() if e.undone_by)

    @cached_property
    def tier_names(self) -> frozenset[str]:
        """Names of tiers."""
        return frozenset(self.project.tiers)

    @cached_property
    def model_facts(self) -> frozenset[str]:
        """Attributes, metrics and tags that some model reads."""
        keys = user_names(c for m in self.models for c in tier_conditions(m))
        return frozenset(k for k in keys if k.split(".")[0] not in self.tier_names)

    @cached_property
    def indirect(self) -> dict[str, frozenset[str]]:
        """By model: tiers it reads through a metric or a tag, whose value must be read again when they move."""
        return {m.name: frozenset(self._indirect(m)) for m in self.models}

    @cached_property
    def fitted_read(self) -> dict[str, frozenset[str]]:
        """By model: names of the fitted metrics it reads, directly or through others; while one has no valid fit, sends wait."""
        return {m.name: frozenset(metric.name for metric in self._closure(m)[1] if metric.fitted) for m in self.models}

    def models_after(self, kinds: frozenset[str]) -> frozenset[str]:
        """Names of the models that may place a user anew after events of these kinds; tags by words are looked at apart."""
        if kinds not in self._after:
            self._after[kinds] = frozenset(self._models_after(kinds))
        return self._after[kinds]

    def _models_after(self, kinds: frozenset[str]) -> Iterator[str]:
        taken_back = {e.name for e in self.project.events.values() if e.undone_by is not None and e.undone_by[0] in kinds}
        found: set[str] = set()
        for model in self.models:
            refs, metrics = self._closure(model)
            seen = any((m.within and m.within.exact) or not (kinds | taken_back).isdisjoint(m.events) for m in metrics)
            if seen or any(r.name in found for r in refs if r.space.startswith("tier")):
                found.add(model.name)
                yield model.name

    def _closure(self, model: Tier) -> tuple[list[Ref], list[Metric]]:
        """Everything a model reads, directly or through metrics and tags; and the metrics among it."""
        refs: list[Ref] = []
        waiting = [r for c in tier_conditions(model) for r in refs_of(c)]
        seen: set[tuple[str, str]] = set()
        while waiting:
            ref = waiting.pop()
            if (ref.space, ref.name) not in seen:
                seen.add((ref.space, ref.name))
                refs.append(ref)
                waiting += self._reads(ref) if ref.space in ("metric", "tag") else ()
        return refs, [self.project.metrics[r.name] for r in refs if r.name in self.project.metrics]

    def _indirect(self, model: Tier) -> Iterator[str]:
        direct = {r for c in tier_conditions(model) for r in refs_of(c)}
        return (r.name for r in self._closure(model)[0] if r.space.startswith("tier") and r not in direct)

    def _reads(self, ref: Ref) -> Iterable[Ref]:
        if ref.name in self.project.metrics:
            return metric_reads(self.project, self.project.metrics[ref.name])
        return refs_of(self.project.tags[ref.name].when) if ref.name in self.project.tags else ()


def interest_of(project: Project) -> Interest:
    """The project turned round."""
    by_model: dict[str, list[Flow]] = {}
    by_event: dict[str, list[Flow]] = {}
    for flow in project.flows.values():
        seen = watched(flow)
        if seen is not None:
            by_model.setdefault(seen[0], []).append(flow)
        for kind in flow.start.events:
            by_event.setdefault(kind, []).append(flow)
    timed = tuple(f for f in project.flows.values() if f.start.kind in ("every", "date"))
    asking = tuple(f.id for f in project.flows.values() if f.exits or any(g.enter for g in (f.goal, *f.counts) if g))
    return Interest(project, by_model, by_event, timed, asking=asking)


def starts_by(flow: Flow, model: str, old: str | None, new: str | None) -> bool:
    """Whether this move of the model starts the flow."""
    seen = watched(flow)
    if seen is None or seen[0] != model:
        return False
    level = seen[1]
    return old == level and new != level if flow.start.kind == "leave" else new == level and old != level


def ends_by(flow: Flow, model: str, new: str | None) -> bool:
    """Whether a run of this flow no longer holds its level or condition after this move."""
    seen = watched(flow)
    if seen is None or seen[0] != model:
        return False
    return new == YES if flow.start.kind == "leave" else new != seen[1]
