"""What the shop owes its users in benefits: given, still to be used, used, run out, taken back; and stocks that run low."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sop_engine.app import App, Work
from sop_engine.core.benefits import read_code
from sop_engine.core.errors import NotFound, Refused
from sop_engine.core.stock import low_stock
from sop_engine.store import audit, grants, liability
from sop_engine.store.people import take_turns

BY = ("benefit", "level", "flow")


@dataclass
class Owed:
    """Of one benefit, level or flow. Numbers of grants; `value`: the worth of those outstanding, `cost`: of all that counts."""

    name: str
    issued: int = 0  # every one whose message was accepted, whatever became of it
    outstanding: int = 0  # may still be used, or nobody knows whether they arrived
    redeemed: int = 0
    expired: int = 0
    voided: int = 0
    value: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)


def owed(work: Work) -> dict[str, list[Owed]]:
    """The same grants by benefit, by level at the send and by flow, each in the order of names."""
    rows = liability.promised(work.tx)
    return {by: _summed(rows, by) for by in BY}


def _summed(rows: Iterable[Any], by: str) -> list[Owed]:
    found: dict[str, Owed] = {}
    for row in rows:
        name = getattr(row, by)
        one = found.setdefault(name, Owed(name))
        one.issued += row.many if row.state != "reserved" else 0
        if row.state in ("reserved", "issued"):
            one.outstanding += row.many
            one.value += Decimal(str(row.worth or 0))
        else:
            setattr(one, row.state, getattr(one, row.state) + row.many)
        one.cost += Decimal(str(row.cost or 0)) if row.state != "voided" else Decimal(0)
    return [found[name] for name in sorted(found)]


def low_stocks(work: Work) -> dict[str, str]:
    """By stock of codes: why it is low."""
    told = {row.name: low_stock(row.size, row.size - row.taken, row.given) for row in liability.stocks(work.tx, work.day)}
    return {name: why for name, why in told.items() if why}


def void_code(app: App, code: str, now: Any, *, by: str) -> str:
    """Take back one unused code; the benefit it was. Raises NotFound where nobody has it, Refused where it is used or over."""
    with app.work(now) as work:
        found = grants.of_code(work.tx, [code, read_code(code) or ""])
        if not found:
            raise NotFound(f"nobody has the code '{code}'. 'sop user USER' shows the codes of a user.")
        take_turns(work.tx, [found[0].user_id])
        if not grants.void(work.tx, found[0].id):
            fresh = grants.get_grant(work.tx, found[0].id)
            raise Refused(f"the code '{code}' is {fresh.state if fresh is not None else 'gone'} and cannot be taken back.")
        audit.note(work.tx, by, "took back a code", {"grant": found[0].id, "benefit": found[0].benefit}, now)
        return str(found[0].benefit)
