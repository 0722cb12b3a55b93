"""Decides whether the engine does its work, from its signs; every check says what is wrong."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from sop_engine.core.clocks import told
from sop_engine.core.signs import Job, Signs

MISSED = 3  # intervals a job may go without success
AT_LEAST_S = 15  # and never less: a job of every second may take some


@dataclass(frozen=True, slots=True)
class Check:
    """One question and its answer. `why` is empty when all is well."""

    name: str
    why: str = ""

    @property
    def ok(self) -> bool:
        """Whether all is well."""
        return not self.why


def judge(signs: Signs | None, late_alarm_s: float) -> list[Check]:
    """Every check in order; the signs are None when the database is not at this version. `late_alarm_s` 0: lateness is no matter."""
    if signs is None:
        return [Check("database"), Check("schema", "the database is not at this version: run 'sop db upgrade'")]
    clocks = Check("clocks", told(timedelta(seconds=signs.clock_skew_s)))
    return [
        Check("database"),
        Check("schema"),
        _released(signs),
        _led(signs),
        Check("jobs", _jobs(signs)),
        _late(signs, late_alarm_s),
        clocks,
    ]


def overdue(job: Job) -> bool:
    """Whether a job has gone without success for more than three of its intervals, and 15 seconds."""
    return job.age_s is None or job.age_s > max(AT_LEAST_S, MISSED * job.every_s)


def _released(signs: Signs) -> Check:
    return Check("release", "" if signs.released else "no project has been applied: run 'sop apply'")


def _led(signs: Signs) -> Check:
    led = signs.leader is not None and signs.leader.left_s > 0
    return Check("leader", "" if led else "nobody leads: start 'sop scheduler' or 'sop run'")


def _jobs(signs: Signs) -> str:
    if not signs.jobs:
        return "no recurring job has ever reported"
    return "; ".join(_told(signs))


def _told(signs: Signs) -> Iterator[str]:
    for job in signs.jobs:
        if overdue(job):
            ago = "never" if job.age_s is None else f"{job.age_s:.0f} s ago"
            yield f"{job.name}: went well {ago}, should every {job.every_s} s"


def _late(signs: Signs, late_alarm_s: float) -> Check:
    late = 0 < late_alarm_s < signs.oldest_due_s
    return Check("late", f"a touch has been due for {signs.oldest_due_s:.0f} s and has not gone out" if late else "")
