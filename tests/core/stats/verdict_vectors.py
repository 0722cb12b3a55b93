"""Asks the product the questions of the vectors about arms and verdicts."""

from dataclasses import asdict
from decimal import Decimal
from typing import Any

from sop_engine.core.comparison.compare import Known, compare
from sop_engine.core.comparison.design import Design
from sop_engine.core.comparison.sample import counted
from sop_engine.core.comparison.values import Report, Source
from sop_engine.core.experiment import arm_for
from sop_engine.core.playbook import Experiment, Flow, Start

KNOWN = Known(Source("csv", "counts", 0, ""), "test")


def report_of(arms: dict[str, tuple[int, int]], control: str, **design: Any) -> Report:
    """The report of (back, users) by arm."""
    return compare(counted(arms), Design(control, **design), KNOWN)


def verdict_of(inputs: Any) -> Any:
    """The answer to a vector of the family compare_verdict."""
    mode = inputs["mode"]
    if mode == "auto":
        mode = "hybrid" if inputs["planned"] else "open_ended"
    arms = {name: (x, n) for name, (x, n) in inputs["arms"].items()}
    report = report_of(arms, inputs["control"], mode=mode, planned=inputs["planned"], shares=inputs["shares"])
    return {
        "mode": report.plan.mode,
        "final": report.plan.final,
        "sample_ratio_p": report.health.sample_ratio.p,
        "comparisons": [asdict(c) for c in report.comparisons if c.kind == "against_control"],
    }


def arm_of(inputs: Any) -> str:
    """The arm the engine draws for a user."""
    variants = tuple((name, Decimal(str(share))) for name, share in inputs["variants"].items())
    flow = Flow(
        "f",
        "f",
        "win_back",
        Start("event"),
        (),
        holdout=Decimal(str(inputs["holdout"])),
        variants=variants,
        experiment=Experiment(name=inputs["experiment"]),
    )
    arm = arm_for(flow, inputs["user"], inputs["salt"])
    return "holdout" if arm.held_out else str(arm.variant)
