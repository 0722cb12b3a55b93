"""Looks at the broker: whether it answers, and whether it is set up so that it keeps what it is given."""

import time
from contextlib import suppress

from sop_engine.core.broker_report import BrokerReport

PATIENCE_S = 1.0
ASKED_EVERY_S = 2.0


class Redis:
    """Redis, asked whether it answers; at most every two seconds while it does not."""

    def __init__(self, redis_url: str, prefix: str = "sop:") -> None:
        import redis

        self._client = redis.Redis.from_url(redis_url, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S)
        self._prefix = prefix
        self._away_until = 0.0

    def answers(self) -> bool:
        """Whether it answers now."""
        import redis

        if time.monotonic() < self._away_until:
            return False
        try:
            return bool(self._client.ping())
        except redis.RedisError:
            self._away_until = time.monotonic() + ASKED_EVERY_S
            return False

    def waiting(self, queue: str) -> int:
        """How many messages wait in a queue; 0 when it cannot be asked."""
        import redis

        try:
            return int(self._client.llen(self._prefix + queue))
        except redis.RedisError:
            return 0


class RedisMemory:
    """Remembers texts in Redis; while it is away nothing is remembered, and nothing is compared."""

    def __init__(self, redis_url: str, prefix: str = "sop:") -> None:
        import redis

        self._client = redis.Redis.from_url(redis_url, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S, decode_responses=True)
        self._prefix = prefix + "remembered:"

    def get(self, name: str) -> str | None:
        """What was remembered under this name."""
        import redis

        try:
            found = self._client.get(self._prefix + name)
        except redis.RedisError:
            return None
        return None if found is None else str(found)

    def set(self, name: str, value: str) -> None:
        """Remember it."""
        import redis

        with suppress(redis.RedisError):
            self._client.set(self._prefix + name, value)


def inspect(redis_url: str) -> BrokerReport:
    """What Redis says of itself; a server that hides its settings is taken at its word as far as it goes."""
    import redis

    try:
        with redis.Redis.from_url(redis_url, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S, decode_responses=True) as client:
            about: dict[str, object] = client.info()
    except (redis.RedisError, OSError) as error:
        return BrokerReport(False, problem=type(error).__name__)
    keeps = str(about.get("aof_enabled", 0)) == "1"
    return BrokerReport(True, str(about.get("redis_version", "")), str(about.get("maxmemory_policy", "")), keeps)
