"""Measures contestants in turns, in one run: wall and CPU seconds of each, and their medians."""

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from statistics import median
from typing import Any

Contestant = Callable[[], Any]


@dataclass
class Times:
    """Seconds of each run of one contestant, and what the last one answered."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    answer: Any = None

    @property
    def seconds(self) -> float:
        """Median wall seconds."""
        return median(self.wall)

    @property
    def cpu_seconds(self) -> float:
        """Median CPU seconds, of all threads and children; 0 where other processes did the work."""
        return median(self.cpu) if self.cpu else 0.0


@dataclass
class Figure:
    """One row of the table. With `work`, so many things are done in a run and rates are compared; without, seconds."""

    name: str
    users: int | None
    ours: Times
    baseline: Times | None
    against: str
    goal: str
    work: int | None = None
    peak_mb: float | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """Ours to the baseline by wall time: of rates, or of seconds."""
        return self._ratio(lambda t: t.seconds)

    @property
    def cpu_ratio(self) -> float | None:
        """The same by CPU time."""
        return self._ratio(lambda t: t.cpu_seconds)

    @property
    def measure(self) -> float:
        """The figure that grows or not: things a second, or seconds."""
        return self.work / self.ours.seconds if self.work else self.ours.seconds

    def _ratio(self, of: Callable[[Times], float]) -> float | None:
        if self.baseline is None or not of(self.ours) or not of(self.baseline):
            return None
        return of(self.baseline) / of(self.ours) if self.work else of(self.ours) / of(self.baseline)

    def as_json(self) -> dict[str, Any]:
        """Everything that was measured."""
        return {**asdict(self), "ratio": self.ratio, "cpu_ratio": self.cpu_ratio}


def _cpu() -> float:
    used = (getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN))
    return sum(u.ru_utime + u.ru_stime for u in used)


def alternate(contestants: Mapping[str, Contestant], times: int, *, before: Callable[[int, str], object] | None = None) -> dict[str, Times]:
    """Run each in turn, so many times; every second round the other way round. `before` gets ready, unmeasured, with the
    number of the round and who runs next."""
    found = {name: Times() for name in contestants}
    for number in range(times):
        names = list(contestants)
        for name in names if number % 2 == 0 else reversed(names):
            if before is not None:
                before(number, name)
            gc.collect()
            wall, cpu = time.perf_counter(), _cpu()
            found[name].answer = contestants[name]()
            found[name].wall.append(time.perf_counter() - wall)
            found[name].cpu.append(_cpu() - cpu)
    return found


def median_each(contestants: Mapping[str, Contestant], times: int) -> dict[str, Times]:
    """The same for things that take milliseconds: no collecting of garbage in between."""
    found = {name: Times() for name in contestants}
    for _ in range(times):
        for name, contestant in contestants.items():
            wall, cpu = time.perf_counter(), time.process_time()
            contestant()
            found[name].wall.append(time.perf_counter() - wall)
            found[name].cpu.append(time.process_time() - cpu)
    return found
