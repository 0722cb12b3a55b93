"""Says what is odd about flows beside each other: levels treated alike, forgotten or addressed twice, experiments that show nothing."""

from collections.abc import Iterator
from decimal import Decimal

from sop_engine.core.conditions import And, Compare, Condition, Constant, In, Ref
from sop_engine.core.playbook import Choice, Flow, Playbook, Step
from sop_engine.core.unused import conditions_of
from sop_engine.language.lint_places import Lint, flow_path
from sop_engine.language.lint_steps import day_of
from sop_engine.language.lint_tiers import only_demographics


def lint_flows(lint: Lint) -> None:
    """Add the messages 704, 712, 713, 714, 718, 719, 723 and 724."""
    for playbook in lint.project.playbooks.values():
        _alike(playbook, lint)
        _upside_down(playbook, lint)
    for flow in lint.project.flows.values():
        _promotes_to_silent(flow, lint)
        _demographics(flow, lint)
        _no_holdout(flow, lint)
        _differs_too_late(flow, lint)
    _acted_twice(lint)
    _forgotten(lint)


def levels_addressed(flow: Flow) -> Iterator[tuple[str, str]]:
    """The (tier, level) pairs a flow is for: its own level, and those its start and `only` ask for."""
    if flow.start.kind == "level":
        yield flow.start.tier, flow.start.level or "unscored"
    if flow.start.kind != "leave":
        yield from _levels_asked(flow.start.condition)
    yield from _levels_asked(flow.only)


def _levels_asked(condition: Condition | None) -> Iterator[tuple[str, str]]:
    match condition:
        case And(parts):
            for part in parts:
                yield from _levels_asked(part)
        case Compare("=", Ref(space="tier", name=name), Constant(str() as level)):
            yield name, level
        case In(Ref(space="tier", name=name), values, False):
            yield from ((name, str(level)) for level in values)


def _flows(playbook: Playbook, lint: Lint) -> list[Flow]:
    return [lint.project.flows[name] for name in playbook.flows if name in lint.project.flows]


def _names(flow: Flow, what: str) -> frozenset[str]:
    choices: list[Choice | None] = [getattr(step, what) for step in flow.steps]
    return frozenset(name for choice in choices if choice for name in choice.names())


def _alike(playbook: Playbook, lint: Lint) -> None:
    seen: dict[tuple[frozenset[str], frozenset[str]], Flow] = {}
    for flow in _flows(playbook, lint):
        does = (_names(flow, "send"), _names(flow, "give"))
        other = seen.setdefault(does, flow)
        if other is not flow and any(does):
            sentence = f"'{flow.level}' sends and gives the same as '{other.level}'. If both need the same, they are one level."
            lint.report.warn(lint.key(*flow_path(flow)), 704, sentence)


def _upside_down(playbook: Playbook, lint: Lint) -> None:
    tier = lint.project.tiers.get(playbook.tier)
    if tier is None:
        return
    flows = {flow.level: flow for flow in _flows(playbook, lint) if flow.intent != "win_back"}
    better: tuple[str, Decimal] | None = None
    for level in tier.ladder:
        cost = max(_costs(flows[level], lint), default=None) if level in flows else None
        if cost is None:
            continue
        if better is not None and cost > better[1]:
            sentence = f"'{level}' gets a benefit that costs {cost:f}, the better level '{better[0]}' at most {better[1]:f}. Turn it round."
            lint.report.warn(lint.key(*flow_path(flows[level])), 712, sentence)
        if better is None or cost < better[1]:
            better = (level, cost)


def _costs(flow: Flow, lint: Lint) -> list[Decimal]:
    return [lint.project.benefits[n].cost for n in _names(flow, "give") if n in lint.project.benefits]


def _promotes_to_silent(flow: Flow, lint: Lint) -> None:
    primary = lint.project.tiers.get(lint.project.settings.primary_tier)
    if primary is None or flow.intent == "win_back" or not any(lint.marketing(step) for step in flow.steps):
        return
    asked = {level for tier, level in levels_addressed(flow) if tier == primary.name}
    if asked and asked <= primary.silent:
        sentence = (
            f"'{' and '.join(sorted(asked))}' is marked silent in '{primary.name}': nobody there gets marketing "
            "except from flows with 'intent: win_back'."
        )
        lint.report.warn(lint.key(*flow_path(flow)), 718, sentence)


def _demographics(flow: Flow, lint: Lint) -> None:
    start = flow.start.condition if flow.start.kind == "enter" else None
    if flow.start.kind not in ("level", "event") and only_demographics([start, flow.only], lint):
        sentence = "this audience is chosen by age, gender or income alone. What people do says more about what they need."
        lint.report.inform(lint.at(*flow_path(flow), "only" if flow.only is not None else "start"), 719, sentence)


def _no_holdout(flow: Flow, lint: Lint) -> None:
    if flow.holdout or lint.project.settings.holdout or not (flow.variants or flow.intent == "win_back"):
        return
    what = "variants" if flow.variants else "a win-back flow"
    sentence = f"{what} without 'holdout': nobody can tell how many would have come back by themselves. Add 'holdout: 10%'."
    place = lint.key(*flow_path(flow), "variants") if flow.variants else lint.key(*flow_path(flow))
    lint.report.warn(place, 723, sentence)


def _differs_too_late(flow: Flow, lint: Lint) -> None:
    if not flow.variants or flow.goal is None or flow.goal.within.days is None:
        return
    touches = [(day, step) for step in flow.steps if step.send and (day := day_of(flow, step)) is not None]
    differing = [(day, step) for day, step in touches if _differs(step, flow)]
    if not differing:
        return
    day, step = min(differing, key=lambda pair: pair[0])
    first = min(day for day, _ in touches)
    if day > first + flow.goal.within.days:
        sentence = (
            f"the variants first differ on day {day}, but the goal counts only {flow.goal.within} after a touch, and the first "
            f"touch is on day {first}. Let them differ earlier, or give the goal more time."
        )
        lint.report.warn(lint.at(*flow_path(flow), "steps", step.name, "send"), 724, sentence)


def _differs(step: Step, flow: Flow) -> bool:
    def act(choice: Choice | None, arm: str) -> tuple[str, ...] | None:
        return choice.pick(arm) if choice and choice.by == "variant" else None

    return len({(act(step.send, arm), act(step.give, arm)) for arm, _ in flow.variants}) > 1


def _acted_twice(lint: Lint) -> None:
    first: dict[tuple[str, str], Flow] = {}
    for flow in lint.project.flows.values():
        for pair in dict.fromkeys(levels_addressed(flow)):
            other = first.setdefault(pair, flow)
            if other is not flow:
                sentence = f"'{other.id}' acts on {pair[0]} = {pair[1]} too. Let one do it, or see that both do not write at once."
                lint.report.inform(lint.key(*flow_path(flow)), 714, sentence)


def _forgotten(lint: Lint) -> None:
    acted = {pair for flow in lint.project.flows.values() for pair in levels_addressed(flow)}
    acted |= set(_pairs_read(lint))
    for tier in lint.project.tiers.values():
        left = [level for level in tier.level_names if (tier.name, level) not in acted]
        if left and len(left) == len(tier.levels):
            sentence = f"nothing happens to any level of '{tier.name}'. Write a playbook for it, or read it somewhere."
            lint.report.inform(lint.key("tier", tier.name), 713, sentence)
            continue
        for level in left:
            sentence = f"nothing happens to the users of '{level}'. Write a flow for them, or see that they are not forgotten."
            lint.report.inform(lint.at("tier", tier.name, "levels", level), 713, sentence)


def _pairs_read(lint: Lint) -> Iterator[tuple[str, str]]:
    """Every level a condition or choice anywhere reads, or all levels of a tier that is read as a whole."""
    for condition in conditions_of(lint.project):
        yield from _pairs_in(condition, lint)
    for flow in lint.project.flows.values():
        for step in flow.steps:
            if step.by is not None and step.by.name in lint.project.tiers:
                yield from ((step.by.name, level) for level in lint.project.tiers[step.by.name].level_names)


def _pairs_in(node: object, lint: Lint) -> Iterator[tuple[str, str]]:
    match node:
        case Compare(_, Ref(space="tier", name=name), Constant(str() as level)):
            yield name, level
        case In(Ref(space="tier", name=name), values, _):
            yield from ((name, str(level)) for level in values)
        case _ if hasattr(node, "parts"):
            for part in node.parts:
                yield from _pairs_in(part, lint)
        case _ if hasattr(node, "part"):
            yield from _pairs_in(node.part, lint)
