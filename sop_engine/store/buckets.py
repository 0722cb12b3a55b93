"""Keeps rate limits in the database, in its own time: where there is no Redis, or while it is away."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update

from sop_engine.core.rates import Rate
from sop_engine.store.bulk import put_rows
from sop_engine.store.columns import table_of
from sop_engine.store.safety_tables import BucketRow

buckets = table_of(BucketRow)
SAVED_UP = 0.1  # the share of a period that an idle account may save up


def take(tx: Connection, account: str, rate: Rate, wanted: int, at: datetime) -> tuple[int, timedelta]:
    """How many of `wanted` calls fit at this time, and how long the next one has to wait. An account never seen begins empty."""
    put_rows(tx, buckets, [{"account": account, "free_at": at}], key=["account"], over=False)
    free_at: datetime = tx.execute(select(buckets.c.free_at).where(buckets.c.account == account).with_for_update()).scalar_one()
    free_at = max(free_at, at - max(rate.per * SAVED_UP, rate.apart))
    fits = max(0, min(wanted, int((at - free_at) / rate.apart)))
    free_at += rate.apart * fits
    tx.execute(update(buckets).where(buckets.c.account == account).values(free_at=free_at))
    return fits, max(timedelta(0), free_at + rate.apart - at)
