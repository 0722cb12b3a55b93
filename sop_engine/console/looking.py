"""Looks at most once a second, however many ask, and never waits longer than a few seconds for a database that does not answer."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")
KEPT_S = 1.0
PATIENCE_S = 4.0


class Looking(Generic[T]):
    """Calls `look` in a thread of its own; whoever asks while it looks, or within a second after, gets the same answer."""

    def __init__(self, look: Callable[[], T], *, kept_s: float = KEPT_S, patience_s: float = PATIENCE_S) -> None:
        self._look, self._kept_s, self._patience_s = look, kept_s, patience_s
        self._lock = threading.Lock()
        self._answer: Future[T] | None = None
        self._done_at = 0.0

    def get(self) -> T:
        """The answer. Raises what `look` raised, or TimeoutError when it takes too long; the look goes on, and no second one begins."""
        with self._lock:
            fresh = self._answer is not None and (not self._answer.done() or time.monotonic() - self._done_at < self._kept_s)
            if self._answer is None or not fresh:
                self._answer = Future()
                threading.Thread(target=self._run, args=(self._answer,), daemon=True).start()
            answer = self._answer
        return answer.result(self._patience_s)

    def _run(self, answer: Future[T]) -> None:
        try:
            found = self._look()
        except Exception as error:
            self._done_at = time.monotonic()
            answer.set_exception(error)
        else:
            self._done_at = time.monotonic()
            answer.set_result(found)
