"""Says what is odd about the flows of one playbook: levels treated alike or upside down, audiences by age and gender alone."""

from decimal import Decimal

from sop_engine.core.playbook import Choice, Flow, Playbook
from sop_engine.language.lint_places import Lint, flow_path
from sop_engine.language.lint_tiers import only_demographics


def lint_flows(lint: Lint) -> None:
    """Add the messages 704, 712 and 719."""
    for playbook in lint.project.playbooks.values():
        _alike(playbook, lint)
        _upside_down(playbook, lint)
    for flow in lint.project.flows.values():
        _demographics(flow, lint)


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


def _demographics(flow: Flow, lint: Lint) -> None:
    start = flow.start.condition if flow.start.kind == "enter" else None
    if flow.start.kind not in ("level", "event") and only_demographics([start, flow.only], lint):
        sentence = "this audience is chosen by age, gender or income alone. What people do says more about what they need."
        lint.report.inform(lint.at(*flow_path(flow), "only" if flow.only is not None else "start"), 719, sentence)
