"""Says which flows ask users for answers and give nothing back."""

from sop_engine.core.playbook import Flow
from sop_engine.language.lint_places import Lint, flow_path

WORDS = ("问卷", "调研", "survey", "questionnaire")


def lint_surveys(lint: Lint) -> None:
    """Add 726: a flow whose goal is a survey, or whose texts ask for one, without a benefit in any step."""
    for flow in lint.project.flows.values():
        if _asks(flow, lint) and not any(step.give for step in flow.steps):
            sentence = "this asks for answers and gives nothing back. Add 'give' to a step; whoever only asks is soon not answered."
            lint.report.warn(lint.key(*flow_path(flow)), 726, sentence)


def _asks(flow: Flow, lint: Lint) -> bool:
    wanted = flow.goal.events if flow.goal is not None else ()
    texts = [text for step in flow.steps for text in lint.templates(step.send.names() if step.send else ())]
    said = [text.subject + "\n" + text.body for text in texts if text.purpose != "internal"]
    return any(word in one.lower() for word in WORDS for one in (*wanted, *said))
