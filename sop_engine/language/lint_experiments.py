"""Says what is odd about experiments: no hold-out, or variants that differ too late to show anything."""

from sop_engine.core.playbook import Choice, Flow, Step
from sop_engine.language.lint_places import Lint, flow_path
from sop_engine.language.lint_steps import day_of


def lint_experiments(lint: Lint) -> None:
    """Add the messages 723 and 724."""
    for flow in lint.project.flows.values():
        _no_holdout(flow, lint)
        _differs_too_late(flow, lint)


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
