"""Lets only so many calls in at a time, and works on those that wait together: one transaction for many small calls.

What does not fit is told to come back, before memory or the database give way.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from random import uniform
from typing import Generic, TypeVar

from anyio import CapacityLimiter, to_thread

Call = TypeVar("Call")
Answer = TypeVar("Answer")

MOST_CALLS = 512  # that are read, wait or are worked on
MOST_BYTES = 64 * 1024 * 1024  # in their bodies together
TOGETHER_CALLS, TOGETHER_BYTES = 64, 256 * 1024  # that are worked on at once
IN_LINE_S = 5.0  # a client gives up after 10 or 15 seconds, and what it gave up is worked on for nothing
SOONEST_S, LATEST_S = 1, 300
_WEIGHT = 0.2  # of the newest round in the mean of how long one takes


class Gate(Generic[Call, Answer]):
    """The calls that are inside. `work` answers several in a thread; `workers` threads do so at a time."""

    def __init__(
        self,
        work: Callable[[Sequence[Call]], Sequence[Answer]],
        workers: int,
        *,
        most_calls: int = MOST_CALLS,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.work, self.workers, self.most_calls, self.most_bytes = work, workers, most_calls, most_bytes
        self.calls = self.bytes = 0
        self._line: deque[tuple[Call, int, asyncio.Future[Answer]]] = deque()
        self._busy: set[asyncio.Task[None]] = set()
        self._round_s = 0.2  # how long a round takes, however many calls are in it: most of that is the transaction
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
        rounds = math.ceil(max(self.calls / TOGETHER_CALLS, self.bytes / TOGETHER_BYTES) / self.workers)
        return rounds * self._round_s

    @property
    def come_back_s(self) -> int:
        """When it is worth asking again: when those who are inside are done, or a while later, so that not all come at once."""
        return max(SOONEST_S, min(LATEST_S, math.ceil(self._line_s * uniform(1, 3))))

    async def answer(self, call: Call, size: int) -> Answer:
        """The answer to a call whose body has so many bytes, once its turn has come; raises what `work` raised."""
        found: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._line.append((call, size, found))
        self.bytes += size
        if len(self._busy) < self.workers:
            task = asyncio.create_task(self._serve())
            self._busy.add(task)
            task.add_done_callback(self._busy.discard)
        try:
            return await found
        finally:
            self.bytes -= size

    async def _serve(self) -> None:
        self._threads = self._threads or CapacityLimiter(self.workers)
        while self._line:
            taken = self._next()
            began = time.monotonic()
            try:
                answers = await to_thread.run_sync(self.work, [call for call, _, _ in taken], limiter=self._threads)
            except Exception as error:
                for _, _, found in taken:
                    if not found.done():
                        found.set_exception(error)
                continue
            self._round_s += _WEIGHT * (time.monotonic() - began - self._round_s)
            for (_, _, found), answer in zip(taken, answers, strict=True):
                if not found.done():  # whoever asked may be gone
                    found.set_result(answer)

    def _next(self) -> list[tuple[Call, int, "asyncio.Future[Answer]"]]:
        """The first of the line, and as many of the next as fit."""
        taken = [self._line.popleft()]
        size = taken[0][1]
        while self._line and len(taken) < TOGETHER_CALLS and size + self._line[0][1] <= TOGETHER_BYTES:
            taken.append(self._line.popleft())
            size += taken[-1][1]
        return taken
