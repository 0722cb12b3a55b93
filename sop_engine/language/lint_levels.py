"""Says which levels are forgotten, addressed by two flows, or silent and written to all the same."""

from collections.abc import Iterator

from sop_engine.core.addressing import levels_addressed
from sop_engine.core.conditions import Compare, Constant, In, Ref
from sop_engine.core.playbook import Flow
from sop_engine.core.unused import conditions_of
from sop_engine.language.lint_places import Lint, flow_path


def lint_levels(lint: Lint) -> None:
    """Add the messages 713, 714 and 718."""
    for flow in lint.project.flows.values():
        _promotes_to_silent(flow, lint)
    _acted_twice(lint)
    _forgotten(lint)


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
