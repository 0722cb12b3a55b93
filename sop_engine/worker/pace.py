"""Keeps all workers together below the rate of an account: counted in Redis, and in the database at half speed while Redis is away."""

import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sop_engine.core.rates import rate_of
from sop_engine.settings import Settings
from sop_engine.store import buckets
from sop_engine.store.clock import database_time

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass
class SharedPace:
    """A moving window for each account, in Redis."""

    settings: Settings
    prefix: str = "sop:rate"
    _limiter: Any = field(default=None, repr=False)

    def take(self, tx: "Connection", account: str, wanted: int) -> tuple[int, timedelta]:
        """How many of `wanted` calls may be made now, and how long the next one has to wait."""
        from redis.exceptions import RedisError

        rate = rate_of(self.settings.rate(account))
        if rate is None:
            return wanted, timedelta(0)
        try:
            return self._from_redis(account, wanted)
        except RedisError:
            return buckets.take(tx, account, replace(rate, per=rate.per * 2), wanted, database_time(tx))

    def _from_redis(self, account: str, wanted: int) -> tuple[int, timedelta]:
        from limits import parse

        item, limiter = parse(self.settings.rate(account)), self._open()
        stats = limiter.get_window_stats(item, account)
        fits = min(wanted, stats.remaining)
        while fits and not limiter.hit(item, account, cost=fits):
            fits //= 2  # others were faster
        wait = timedelta(seconds=max(0.0, stats.reset_time - time.time())) if fits < wanted else timedelta(0)
        return fits, wait

    def _open(self) -> Any:
        from limits.storage import RedisStorage
        from limits.strategies import MovingWindowRateLimiter

        if self._limiter is None:
            storage = RedisStorage(self.settings.redis_url, key_prefix=self.prefix, socket_timeout=2, socket_connect_timeout=2)
            self._limiter = MovingWindowRateLimiter(storage)
        return self._limiter
