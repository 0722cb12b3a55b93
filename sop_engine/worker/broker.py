"""Looks at the broker: whether it answers, and whether it is set up so that it keeps what it is given."""

import time

PATIENCE_S = 1.0
ASKED_EVERY_S = 2.0


class Redis:
    """Redis, asked whether it answers; at most every two seconds while it does not."""

    def __init__(self, redis_url: str) -> None:
        import redis

        self._client = redis.Redis.from_url(redis_url, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S)
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
