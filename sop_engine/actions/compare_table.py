"""Compares the arms of a table that was exported from anywhere: who is the control, which mode, then the same judgement as everywhere."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import sop_engine
from sop_engine.core.comparison.compare import Known, compare
from sop_engine.core.comparison.design import Design
from sop_engine.core.comparison.sample import NEVER, Sample, undated
from sop_engine.core.comparison.values import Report, Source
from sop_engine.core.errors import BadInput
from sop_engine.language.arm_table import ArmColumns, ArmRows, read_arms

CONTROLS = ("holdout", "hold-out", "control", "对照", "对照组")
HOLD_OUTS = ("holdout", "hold-out")


@dataclass(frozen=True, slots=True)
class TableQuestion:
    """What is asked of a table. `mode`: auto, hybrid, open_ended or fixed."""

    columns: ArmColumns
    control: str = ""
    planned: int | None = None
    mode: str = "auto"
    shares: Mapping[str, float] | None = None
    window_days: int | None = None
    as_of: date | None = None
    limits: Mapping[str, float] = field(default_factory=dict)


def compare_table(path: Path, question: TableQuestion) -> Report:
    """The report of a file. Raises BadFile or BadInput, with file, line, column and what to do."""
    rows = read_arms(path, question.columns)
    control = control_of(rows.arms, question.control)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    dated = bool(question.columns.start)
    through = (question.as_of or _latest(rows)) if dated else None
    design = Design(
        control,
        mode=mode_of(question),
        planned=question.planned,
        shares=_scaled(question.shares, rows.arms),
        hold_out=control.casefold() in HOLD_OUTS,
        window_days=question.window_days,
        guard_limits=question.limits,
        data_through=through,
        dated=dated,
        seed=int(digest[:16], 16),
    )
    source = Source("csv", path.name, len(rows.arm), digest)
    known = Known(source, sop_engine.__version__, question.as_of.isoformat() if question.as_of else None)
    return compare(_sample(rows, question, through), design, known)


def control_of(arms: Sequence[str], named: str) -> str:
    """The arm the others are compared with: the one named, else the one that is called so. Raises BadInput."""
    listed = ", ".join(arms)
    if len(arms) < 2:
        raise BadInput(f"there is one arm only: {listed}. A comparison needs two.")
    if named:
        if named not in arms:
            raise BadInput(f"--control: there is no arm '{named}'. The arms are: {listed}.")
        return named
    found = [arm for arm in arms if arm.casefold() in CONTROLS]
    if len(found) != 1:
        raise BadInput(f"which arm is the control? Name it with --control. The arms are: {listed}.")
    return found[0]


def mode_of(question: TableQuestion) -> str:
    """The mode asked for; `auto` is hybrid with a planned size, else open-ended. Raises BadInput for hybrid without a plan."""
    mode = question.mode.replace("-", "_")
    if mode == "auto":
        return "hybrid" if question.planned else "open_ended"
    if mode == "hybrid" and not question.planned:
        raise BadInput("--mode hybrid needs --planned N: the users over all arms at which the test ends.")
    return mode


def _scaled(shares: Mapping[str, float] | None, arms: Sequence[str]) -> Mapping[str, float] | None:
    if shares is None:
        return None
    if set(shares) != set(arms):
        raise BadInput(f"--shares names {', '.join(shares)}, but the arms are {', '.join(arms)}.")
    total = sum(shares.values())
    return {name: shares[name] / total for name in arms}


def _latest(rows: ArmRows) -> date:
    return max([*rows.start, *(d for d in rows.returned if d is not None)])


def _sample(rows: ArmRows, question: TableQuestion, through: date | None) -> Sample:
    import numpy as np

    value = rows.value if question.columns.value else None
    sample = _with_days(rows, question, through, value) if through else undated(rows.arms, rows.arm, rows.back, value)
    sample = replace(sample, guards={name: np.asarray(column) for name, column in rows.guards.items()})
    if question.columns.stratum:
        names = tuple(dict.fromkeys(rows.stratum))
        index = {name: i for i, name in enumerate(names)}
        sample = replace(sample, stratum=np.array([index[s] for s in rows.stratum]), strata=names)
    return sample


def _with_days(rows: ArmRows, question: TableQuestion, through: date, value: Sequence[float] | None) -> Sample:
    """The clock starts on the date of the row; a return before it means that the user was back before anything was done."""
    import numpy as np

    last, window = through.toordinal(), question.window_days or 0
    start = np.array([d.toordinal() for d in rows.start])
    returned = np.array([NEVER if d is None or d > through else d.toordinal() for d in rows.returned])
    before = (returned != NEVER) & (returned < start)
    after = np.where((returned != NEVER) & ~before, returned - start, NEVER)
    sample = undated(rows.arms, rows.arm, ((after >= 0) & (after <= window)).tolist(), value)
    begun = ~before & (start <= last)
    return replace(sample, started=begun, ended_before=before, assigned_day=start, start_day=start, mature_day=start + window, after=after)
