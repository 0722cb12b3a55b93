"""Imports a file of uses of codes: what a till writes down instead of reporting it at once."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sop_engine.core.errors import BadInput

if TYPE_CHECKING:
    from sop_engine.app import App
    from sop_engine.core.records import Rejected
    from sop_engine.language.tables import Table
    from sop_engine.store.redemptions import Report

COLUMNS = ("code", "order_id", "user_id", "amount", "currency", "at", "event", "kind")
KINDS = {"": "redeemed", "redeemed": "redeemed", "reversed": "reversed"}


def read_uses(table: "Table", zone: ZoneInfo, now: datetime) -> "Iterator[Report | Rejected]":
    """The reports in a table, one by one; raises BadInput when it has no column `code`, or no column `at`."""
    for needed in ("code", "at"):
        if needed not in table.columns:
            raise BadInput(f"the file has no column '{needed}'. Uses have the columns {', '.join(COLUMNS)}; code and at are needed.")
    return (_read(row, zone, now) for row in table)


def _read(row: Any, zone: ZoneInfo, now: datetime) -> "Report | Rejected":
    from sop_engine.core.records import Rejected
    from sop_engine.language import cells
    from sop_engine.store.redemptions import Report

    if row.problem:
        return Rejected(row.line, row.problem, row.values)
    said, column = dict[str, Any](), ""
    readers: dict[str, Callable[[Any], Any]] = {"amount": _amount, "at": lambda cell: cells.moment(cell, zone)}
    try:
        for column in COLUMNS:
            cell = row.values.get(column)
            said[column] = None if cells.is_empty(cell) else readers.get(column, cells.identifier)(cell)
        column = "code" if not said["code"] else "at"
        if not said["code"] or said["at"] is None:
            raise BadInput("is empty")
        column = "at"
        if said["at"] > now:
            raise BadInput("lies in the future")
        column, kind = "kind", KINDS.get(said["kind"] or "")
        if kind is None:
            raise BadInput("is none of redeemed, reversed")
    except BadInput as error:
        return Rejected(row.line, f"column '{column}': {error}", row.values, column)
    event = said["event"] or _name(kind, said)
    order, user, currency = (said[name] or "" for name in ("order_id", "user_id", "currency"))
    return Report(event[:100], kind, said["code"], order, user, said["amount"], currency, said["at"])


def _amount(cell: Any) -> Decimal:
    from sop_engine.language import cells

    amount = cells.number(cell)
    if not 0 <= amount < Decimal(10) ** 12:
        raise BadInput("is no amount")
    return amount


def _name(kind: str, said: dict[str, Any]) -> str:
    """The name of a report that has none: the same row in another file is the same report."""
    whole = "|".join([kind, said["code"], said["order_id"] or "", said["at"].isoformat()])
    return f"file:{hashlib.sha256(whole.encode()).hexdigest()[:40]}"


def take_uses(app: "App", rows: "Iterator[Report | Rejected]", reject: "Callable[[Rejected], None]", now: datetime) -> Counter[str]:
    """Apply the reports one after the other; how many of each answer, `rejected` for rows that could not be read."""
    from sop_engine.actions.redeeming import redeem
    from sop_engine.core.records import Rejected

    found: Counter[str] = Counter()
    for row in rows:
        if isinstance(row, Rejected):
            reject(row)
            found["rejected"] += 1
        else:
            found[redeem(app, row, now).word] += 1
    return found
