"""Keeps access tokens of providers for all workers: whoever takes the lease fetches, the others wait a little for what it gets."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, or_, select, update

from sop_engine.core.errors import DeliveryError
from sop_engine.store.bulk import put_rows
from sop_engine.store.clock import LeaseClock, database_time
from sop_engine.store.columns import table_of
from sop_engine.store.wechat_tables import TokenRow

tokens = table_of(TokenRow)

EARLY = timedelta(minutes=5)  # a token is renewed so long before its end
LEASE = timedelta(seconds=15)  # longer than any call lasts
PAUSES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.5, 0.5)  # seconds between looks at what another fetches: three in all
LATER_S = 5


@dataclass(frozen=True, slots=True)
class _Lease:
    number: int


class Tokens:
    """The box of tokens. `transaction` opens one on the database; `clock` tells its time; `wait` waits so many seconds."""

    def __init__(
        self,
        transaction: Callable[[], AbstractContextManager[Connection]],
        *,
        clock: LeaseClock = database_time,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._transaction, self._clock, self._wait = transaction, clock, wait

    def get(self, name: str, fetch: Callable[[], tuple[str, timedelta]]) -> str:
        """The token kept under a name. Where none is valid, one caller in all processes fetches it, and the others wait up to 3 s.

        Raises what `fetch` raises, and DeliveryError (retry_after, 5 s) when another has not got it in that time.
        """
        for pause in (*PAUSES, None):
            found = self._look(name)
            if isinstance(found, str):
                return found
            if found is not None:
                return self._fetched(name, found, fetch)
            if pause is not None:
                self._wait(pause)
        raise DeliveryError("retry_after", "throttled", "another process is fetching the access token", retry_after_s=LATER_S)

    def drop(self, name: str, token: str) -> None:
        """The provider refuses this token: it is forgotten, unless another one is stored by now."""
        with self._transaction() as tx:
            tx.execute(update(tokens).where(tokens.c.name == name, tokens.c.token == token).values(token=""))

    def _look(self, name: str) -> str | _Lease | None:
        """The token if it is good; the lease, if this caller is to fetch one; None if another does."""
        with self._transaction() as tx:
            now = self._clock(tx)
            row = tx.execute(select(tokens).where(tokens.c.name == name)).first()
            if row is not None and row.token and row.renew_at > now:
                return str(row.token)
            if row is None:
                put_rows(tx, tokens, [{"name": name, "token": ""}], key=["name"], over=False)
            lease = _take(tx, name, now)
            if lease is None and row is not None and row.token and row.expires_at > now:
                return str(row.token)  # it still works while another renews it
            return lease

    def _fetched(self, name: str, lease: _Lease, fetch: Callable[[], tuple[str, timedelta]]) -> str:
        mine = tokens.c.name == name, tokens.c.leases == lease.number
        try:
            token, valid = fetch()
        except BaseException:
            with self._transaction() as tx:  # the next one need not wait for the end of the lease
                tx.execute(update(tokens).where(*mine).values(lease_until=None))
            raise
        with self._transaction() as tx:
            now = self._clock(tx)
            values = {"token": token, "expires_at": now + valid, "renew_at": now + max(valid - EARLY, valid / 2)}
            tx.execute(update(tokens).where(*mine).values(lease_until=None, **values))
        return token


def _take(tx: Connection, name: str, now: datetime) -> _Lease | None:
    free = or_(tokens.c.lease_until.is_(None), tokens.c.lease_until <= now)
    statement = update(tokens).where(tokens.c.name == name, free).values(lease_until=now + LEASE, leases=tokens.c.leases + 1)
    number = tx.execute(statement.returning(tokens.c.leases)).scalar()
    return None if number is None else _Lease(number)
