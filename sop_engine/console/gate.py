"""Lets only so many calls in at a time: what does not fit is told to come back, before memory or the database give way."""

import math
import time
from collections.abc import Callable
from random import uniform
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

Result = TypeVar("Result")

MOST_CALLS = 512  # that are read, wait or are worked on
MOST_BYTES = 64 * 1024 * 1024  # in their bodies together
IN_LINE_S = 5.0  # a client gives up after 10 or 15 seconds, and what it gave up is worked on for nothing
SOONEST_S, LATEST_S = 1, 300
_WEIGHT = 0.2  # of the newest call in the mean of how long one takes


class Gate:
    """The calls that are inside. `workers` of them are worked on at a time, in threads of their own, so that other pages are answered."""

    def __init__(self, workers: int, *, most_calls: int = MOST_CALLS, most_bytes: int = MOST_BYTES) -> None:
        self.workers, self.most_calls, self.most_bytes = workers, most_calls, most_bytes
        self.calls = self.bytes = 0
        self._mean_s = 0.1
        self._threads: CapacityLimiter | None = None  # belongs to the loop in which the first call comes

    def enter(self) -> bool:
        """Whether one more call may come in; whoever enters leaves."""
        waits = self.calls > self.workers and self._line_s > IN_LINE_S
        if waits or self.calls >= self.most_calls or self.bytes >= self.most_bytes:
            return False
        self.calls += 1
        return True

    def leave(self) -> None:
        """A call is answered."""
        self.calls -= 1

    @property
    def _line_s(self) -> float:
        """How long those who are inside will take."""
        return self.calls * self._mean_s / self.workers

    @property
    def come_back_s(self) -> int:
        """When it is worth asking again: when those who are inside are done, or a while later, so that not all come at once."""
        return max(SOONEST_S, min(LATEST_S, math.ceil(self._line_s * uniform(1, 3))))

    async def run(self, do: Callable[[], Result], size: int) -> Result:
        """Work on a call whose body has so many bytes."""
        self._threads = self._threads or CapacityLimiter(self.workers)
        self.bytes += size
        try:
            return await to_thread.run_sync(lambda: self._timed(do), limiter=self._threads)
        finally:
            self.bytes -= size

    def _timed(self, do: Callable[[], Result]) -> Result:
        began = time.monotonic()
        try:
            return do()
        finally:
            self._mean_s += _WEIGHT * (time.monotonic() - began - self._mean_s)
