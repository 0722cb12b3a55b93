"""Says every metric: its name, what it means, its labels, and how it is read from the signs. No label is about a person."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from sop_engine.core.signs import Signs

Samples = Iterable[tuple[tuple[str, ...], float]]
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Measure:
    """One metric. All are gauges: what holds now."""

    name: str
    means: str
    read: Callable[[Signs], Samples]
    labels: tuple[str, ...] = ()


def _one(value: float) -> Samples:
    return (((), value),)


MEASURES = (
    Measure(
        "sop_oldest_due_unsent_seconds",
        "for how long the touch that waits the longest has been due without having gone out",
        lambda s: _one(s.oldest_due_s),
    ),
    Measure(
        "sop_touches",
        "touches on their way: planned_due, queued, sending, unknown; at most 20000 are counted",
        lambda s: (((state,), number) for state, number in s.touches.items()),
        ("state",),
    ),
    Measure("sop_touches_planned", "about how many touches are planned, due or not", lambda s: _one(s.planned)),
    Measure(
        "sop_attempts_last_hour",
        "calls to providers of the last hour; at most the newest 20000",
        lambda s: s.attempts.items(),
        ("channel", "outcome"),
    ),
    Measure(
        "sop_attempts_window_seconds", "how far back these calls reach: 3600, or less at the bound", lambda s: _one(s.attempts_window_s)
    ),
    Measure(
        "sop_skipped_last_hour",
        "touches skipped in the last hour, as the newest 5000 changes tell",
        lambda s: (((reason,), number) for reason, number in s.skipped.items()),
        ("reason",),
    ),
    Measure("sop_runs_open", "about how many runs are open", lambda s: _one(s.open_runs)),
    Measure(
        "sop_stopped",
        "1 for each scope that is stopped; by: sop (by itself) or operator",
        lambda s: (((scope, "sop" if itself else "operator"), 1) for scope, itself in s.stopped.items()),
        ("scope", "by"),
    ),
    Measure("sop_leader_epoch", "the number of the present leadership", lambda s: _one(s.leader.epoch if s.leader else 0)),
    Measure(
        "sop_leader_lease_left_seconds",
        "how long the leader's lease still lasts; below 0: since when nobody leads",
        lambda s: _one(s.leader.left_s if s.leader else -NEVER),
    ),
    Measure(
        "sop_job_age_seconds",
        "since when a recurring job last went well",
        lambda s: (((j.name,), NEVER if j.age_s is None else j.age_s) for j in s.jobs),
        ("job",),
    ),
    Measure("sop_job_every_seconds", "how often a job runs", lambda s: (((j.name,), j.every_s) for j in s.jobs), ("job",)),
    Measure(
        "sop_job_failing", "1 when a job went wrong the last time", lambda s: (((j.name,), float(j.failing)) for j in s.jobs), ("job",)
    ),
    Measure("sop_processes", "processes seen in the last minute", lambda s: _processes(s), ("kind",)),
    Measure(
        "sop_process_seen_seconds",
        "since when a process was last seen; it is forgotten after ten minutes",
        lambda s: (((p.name, p.kind), p.seen_s) for p in s.processes),
        ("process", "kind"),
    ),
    Measure(
        "sop_process_worked_seconds",
        "since when a process last finished something",
        lambda s: (((p.name, p.kind), p.worked_s) for p in s.processes if p.worked_s is not None),
        ("process", "kind"),
    ),
    Measure(
        "sop_circuit_open",
        "1 while calls to the account of a channel wait",
        lambda s: (((account,), float(is_open)) for account, is_open in s.circuits.items()),
        ("account",),
    ),
    Measure("sop_set_aside_users", "users with whom a task about many failed; at most 20000 are counted", lambda s: _one(s.set_aside)),
    Measure(
        "sop_pool_codes_left", "codes left in a pool that has an end", lambda s: (((p,), n) for p, n in s.pool_codes.items()), ("pool",)
    ),
    Measure("sop_pool_codes", "codes a pool that has an end had in all", lambda s: (((p,), n) for p, n in s.pool_sizes.items()), ("pool",)),
    Measure(
        "sop_fit_unused",
        "1 for each fitted metric whose latest fit is not used; why: never, expired, refused, or kept (the good one before it is used)",
        lambda s: ((one, 1) for one in s.fits_unused.items()),
        ("metric", "why"),
    ),
    Measure("sop_safe_mode", "1 while nothing is sent until somebody has reconciled", lambda s: _one(float(s.safe_mode))),
    Measure("sop_clock_skew_seconds", "the clock of this host minus that of the database", lambda s: _one(s.clock_skew_s)),
)


def _processes(signs: Signs) -> Samples:
    kinds = [p.kind for p in signs.processes if p.seen_s <= 60]
    return (((kind,), kinds.count(kind)) for kind in sorted(set(kinds)))


class _Seen(Collector):
    def __init__(self, signs: Signs) -> None:
        self._signs = signs

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for measure in MEASURES:
            family = GaugeMetricFamily(measure.name, measure.means, labels=measure.labels)
            for labels, value in measure.read(self._signs):
                family.add_metric(labels, value)
            yield family


def exposition(signs: Signs) -> bytes:
    """The signs as Prometheus reads them."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Seen(signs))
    return generate_latest(registry)
