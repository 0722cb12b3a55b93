"""Holds what can be seen of a running engine from outside: how late it is, who leads, what went well. Numbers and names, nobody's data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Leader:
    """Who leads: which epoch, and how many seconds of its lease are left by the database's clock; below 0 nobody leads."""

    epoch: int
    left_s: float


@dataclass(frozen=True, slots=True)
class Job:
    """A recurring job. `age_s`: seconds since it last went well, None for never; `failing`: it went wrong since."""

    name: str
    every_s: int
    age_s: float | None
    failing: bool


@dataclass(frozen=True, slots=True)
class Process:
    """A process that was seen lately; seconds since, and since it last finished something."""

    name: str
    kind: str
    seen_s: float
    worked_s: float | None


@dataclass(frozen=True, slots=True)
class Signs:
    """One look at a database. Counts of what can be many are bounded: at the bound they mean `so many or more`."""

    oldest_due_s: float = 0.0  # of the touch that should have gone out the longest ago
    touches: Mapping[str, int] = field(default_factory=dict)  # planned_due, queued, sending, unknown
    planned: int = 0
    attempts: Mapping[tuple[str, str], int] = field(default_factory=dict)  # by channel and outcome
    attempts_window_s: float = 3600.0  # how far back they reach
    skipped: Mapping[str, int] = field(default_factory=dict)  # by reason
    open_runs: int = 0
    stopped: Mapping[str, bool] = field(default_factory=dict)  # by scope: whether it stopped by itself
    leader: Leader | None = None
    jobs: Sequence[Job] = ()
    processes: Sequence[Process] = ()
    circuits: Mapping[str, bool] = field(default_factory=dict)  # by account: whether calls to it wait
    set_aside: int = 0
    pool_codes: Mapping[str, int] = field(default_factory=dict)
    pool_sizes: Mapping[str, int] = field(default_factory=dict)
    safe_mode: bool = False
    released: bool = False
    fits_unused: Mapping[str, str] = field(default_factory=dict)  # by metric: why its latest fit is not used
    clock_skew_s: float = 0.0  # our clock against the database's
