"""The report of a comparison as one value; every page, file and sentence is a view of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sop_engine.core.stats.belief import Belief
from sop_engine.core.stats.guardrails import Guard

ONLY_IF_KNOWN: Mapping[str, bool] = {"only_if_known": True}
"""Fields that are left out of the JSON while they are None."""

HIDDEN: Mapping[str, bool] = {"hidden": True}
"""Fields that are never in the JSON."""

WARNINGS = (
    "no_holdout", "no_plan", "shares_assumed", "sample_ratio_amber", "tier_ratio", "day_ratio", "small_holdout", "few_returns",
    "window_too_short", "allocation_changed", "sign_differs", "borderline", "revenue_tail", "overran", "merged",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """Judged: better, worse or no_clear_difference."""

    word: str


@dataclass(frozen=True, slots=True)
class TooEarly:
    """Not judged: no_users, no_mature_users, under_30, under_a_week or not_ended."""

    reason: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where the users come from: a CSV file or a playbook. `rows`: users; `sha256` of the input."""

    kind: str
    name: str
    rows: int
    sha256: str
    about: Mapping[str, Any] | None = field(default=None, metadata=ONLY_IF_KNOWN)  # of a playbook: flows, versions, goal, salt, …


@dataclass(frozen=True, slots=True)
class PlanTold:
    """The plan and how far it has come; `part` of the planned users are mature."""

    mode: str
    final: bool
    planned: int | None
    part: float | None
    alpha: float
    window_days: int | None
    control: str
    variants: int
    shares: Mapping[str, float]
    shares_assumed: bool
    started_on: str | None
    ended_on: str | None
    days_left: int | None
    hold_out: bool = field(default=False, metadata=HIDDEN)  # the control is sent nothing


@dataclass(frozen=True, slots=True)
class RatioTold:
    """The sample-ratio check."""

    p: float | None
    chi2: float | None
    expected: Mapping[str, float]
    observed: Mapping[str, int] = field(default_factory=dict, metadata=HIDDEN)  # users it was asked of: assigned, or started


@dataclass(frozen=True, slots=True)
class Health:
    """Green, amber or red (red vetoes), and why."""

    status: str
    sample_ratio: RatioTold
    contamination: Mapping[str, int]
    warnings: tuple[str, ...]
    early_alarm: float | None = field(default=None, metadata=ONLY_IF_KNOWN)  # e-value; from 20 on the arms differ already


@dataclass(frozen=True, slots=True)
class Money:
    """Revenue of the mature users of an arm; `capped`: its mean with what one user counts for at most."""

    mean: float | None
    sum: float
    buyers: int
    per_buyer: float | None
    capped: float | None = field(default=None, metadata=ONLY_IF_KNOWN)


@dataclass(frozen=True, slots=True)
class ArmTold:
    """One arm: users assigned, those whose clock started, those whose window is over, those who came back in it."""

    name: str
    role: str
    assigned: int
    ended_before_clock: int
    started: int
    mature: int
    immature: int
    won_back: int
    rate: float | None
    low: float | None
    high: float | None
    funnel: Mapping[str, Any] | None
    value: Money | None
    curve: tuple[tuple[int, float, float, float, int], ...] | None


@dataclass(frozen=True, slots=True)
class StratifiedTold:
    """The difference standardised to the strata; `primary`: it is the one that is judged."""

    by: str
    difference: float
    low: float
    high: float
    primary: bool
    p_same_odds: float | None


@dataclass(frozen=True, slots=True)
class MoneyCompared:
    """Revenue per user against the control: judged at the end alone; `reason` says why not."""

    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    p_permutation: float | None
    verdict: str | None
    reason: str | None
    per_1000: float | None = field(default=None, metadata=ONLY_IF_KNOWN)  # extra revenue per 1,000 users
    margin_per_1000: float | None = field(default=None, metadata=ONLY_IF_KNOWN)  # after what messages and benefits cost
    capped: Mapping[str, float] | None = field(default=None, metadata=ONLY_IF_KNOWN)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A variant against the control, or two variants. Rates and differences are fractions; `per_1000` counts users."""

    kind: str
    variant: str
    control: str
    verdict: str
    reason: str | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    alpha: float = 0.05
    multiplier: float | None = None
    per_1000: float | None = None
    per_1000_low: float | None = None
    per_1000_high: float | None = None
    lift: float | None = None
    lift_low: float | None = None
    lift_high: float | None = None
    z: float | None = None
    p: float | None = None
    p_kind: str | None = None
    p_adjusted: float | None = None
    borderline: bool = False
    detectable: float | None = None
    bayes: Belief | None = None
    stratified: StratifiedTold | None = None
    value: MoneyCompared | None = None
    path: tuple[tuple[str, int, float, float, float, float], ...] | None = None
    first_excluded_on: str | None = None


@dataclass(frozen=True, slots=True)
class StratumTold:
    """One tier: counts by arm, and the difference of a variant with its p adjusted for all tiers."""

    name: str
    variant: str
    arms: Mapping[str, Mapping[str, float | int | None]]
    difference: float | None
    p_adjusted: float | None


@dataclass(frozen=True, slots=True)
class Reached:
    """The same once more for those whose first touch passed the last look, or would have."""

    arms: tuple[ArmTold, ...]
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True)
class NaturalReturn:
    """How many such users came back by themselves before anybody wrote to them."""

    lapsed_days: int
    window_days: int
    lapsed: int
    returned: int
    rate: float | None
    at: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """The whole in one word and one sentence, in English and Chinese."""

    verdict: str
    winner: str | None
    reason: str | None
    sentence: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything. `schema` names the form of its JSON."""

    schema: str
    source: Source
    as_of: str | None
    data_through: str | None
    engine: str
    plan: PlanTold
    health: Health
    arms: tuple[ArmTold, ...]
    comparisons: tuple[Comparison, ...]
    strata: tuple[StratumTold, ...]
    guardrails: tuple[Guard, ...]
    reached: Reached | None
    natural_return: NaturalReturn | None
    answer: Answer

    def arm(self, name: str) -> ArmTold:
        """The arm of this name."""
        return next(a for a in self.arms if a.name == name)
