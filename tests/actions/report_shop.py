"""A shop whose history is written straight into its tables, for reports: users, moves, events, messages with what came of them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from sqlalchemy import Engine, insert

from sop_engine.actions.reporting import make
from sop_engine.core.catalog import Report
from sop_engine.core.reports.periods import Period
from sop_engine.core.reports.tables import Made, Table
from sop_engine.store.columns import table_of
from sop_engine.store.run_tables import GrantRow, OptOutRow, ReceiptRow, RunRow, TaskRow, TouchRow
from sop_engine.store.tables import EventRow, MoveRow, UserRow
from tests.shop import Shop
from tests.shop_project import CATALOGUE, text

IDS = count(1_000_000)
TIER = "tier: worth\nlevels: {core: vip, plain: orders >= 1, silent: otherwise}\n"
OFFER = """
playbook: offer
intent: cultivate
no_benefit: nothing
start: {event: cart}
goal: {event: order, within: 14d}
steps:
  ask: {after: 10m, send: hello_push}
"""
CARE = """
playbook: care
tier: worth
levels:
  core:
    intent: serve
    no_benefit: nothing
    goal: {event: visit, within: 7d}
    steps:
      hi: {after: 10m, send: hello_push}
      later: {at: day 2 10:00, send: again}
  plain: {none: enough}
  silent: {none: enough}
"""
MADE = {"made": text("made", "desk", purpose="internal", variables="report.name: required, report.link: required",
                     body="{{ report.name }}: {{ report.link }}")}  # fmt: skip
MORE = """
---
events:
  survey: {answer: text}
  interaction: [visit, say]
---
metrics:
  favourite: {most_common: visit.page}
---
goals:
  aha: {event: order, within: 7d}
---
benefits:
  gift: {pool: G, worth: 20, valid: 7d, limit: 1 per 365d, budget: 100000 per 30d, cost: 20}
"""


def shop_of(engine: Engine, *documents: str, start: str = "2025-07-02 09:00") -> Shop:
    """A shop with a ladder core > plain > silent, a campaign, and a flow for the best level."""
    shop = Shop(engine, start=start, project={"primary_tier": "worth"}, texts=MADE)
    told = CATALOGUE.replace("register: {}", "register: {inviter: text}") + MORE
    shop.apply(TIER, OFFER, CARE, *documents, catalogue=told)
    return shop


def day(local: str) -> int:
    """A local date as a day ordinal."""
    return date.fromisoformat(local[:10]).toordinal()


class Stored:
    """Writes history into a shop's tables; every local time is Shanghai's."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.ids: dict[str, int] = {}

    def put(self, row: Any, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows that name the same columns."""
        if rows:
            with self.shop.app.transaction() as tx:
                tx.execute(insert(table_of(row)), list(rows))

    def users(self, keys: Iterable[str], joined: str = "2025-01-01 10:00") -> list[str]:
        """Users who joined then."""
        keys = list(keys)
        self.ids |= {key: next(IDS) for key in keys}
        at = self.shop.at(joined)
        self.put(UserRow, [{"id": self.ids[k], "key": k, "joined_at": at, "joined_day": day(joined), "attributes": {}} for k in keys])
        return keys

    def levels(self, keys: Iterable[str], level: str, when: str = "2025-01-01 10:00", *, old: str | None = None) -> None:
        """They enter a level."""
        order = ("core", "plain", "silent")
        up = order.index(level) < order.index(old) if old else None
        common = {"model": "worth", "old": old, "new": level, "up": up, "at": self.shop.at(when), "day": day(when), "cause": "event"}
        self.put(MoveRow, [{"user_id": self.ids[k], **common} for k in keys])

    def events(self, kind: str, told: Iterable[tuple[str, str, Mapping[str, Any]]]) -> None:
        """(user, local time, fields) of events of a kind."""
        rows = []
        for key, when, fields in told:
            at = self.shop.at(when)
            rows.append({
                "message_id": f"e{next(IDS)}", "user_id": self.ids[key], "kind": kind, "at": at, "day": day(when), "hour": 10,
                "fields": dict(fields), "received_at": at,
            })  # fmt: skip
        self.put(EventRow, rows)

    def touches(
        self,
        keys: Sequence[str],
        when: str,
        *,
        flow: str = "offer",
        step: str = "ask",
        level: str | None = "plain",
        cost: float = 0,
        came: Mapping[str, int] | None = None,
        converted: int = 0,
    ) -> None:
        """One message to each, of a run of its own. `came`: so many of them, from the first on, were `sent`, delivered, opened, clicked."""
        at, came = self.shop.at(when), {"sent": len(keys), "delivered": len(keys), **(came or {})}
        runs, touches, receipts = [], [], []
        for number, key in enumerate(keys):
            one, user = next(IDS), {"user_id": self.ids[key]}
            sent = number < came["sent"]
            goal = at + timedelta(hours=2) if number < converted else None
            runs.append({"id": one, **user, "flow": flow, "version": 1, "start_key": str(one), "cause": "test", "started_at": at,
                         "started_day": day(when), "anchor_day": day(when), "goal_at": goal})  # fmt: skip
            touches.append({"id": one, **user, "run_id": one, "flow": flow, "step": step, "state": "sent" if sent else "skipped",
                            "due_at": at, "first_due_at": at, "late_at": at, "purpose": "marketing", "channel": "push" if sent else None,
                            "cost": Decimal(str(cost)), "level": level if sent else None, "intent_at": at if sent else None,
                            "intent_day": day(when), "done_at": at})  # fmt: skip
            kinds = [kind for kind in ("delivered", "opened", "clicked") if number < came.get(kind, 0)]
            receipts += [{"touch_id": one, "kind": kind, "at": at + timedelta(minutes=1)} for kind in kinds]
        self.put(RunRow, runs)
        self.put(TouchRow, touches)
        self.put(ReceiptRow, receipts)

    def refused(self, keys: Iterable[str], when: str) -> None:
        """They block the channel."""
        self.put(OptOutRow, [{"user_id": self.ids[k], "channel": "push", "at": self.shop.at(when)} for k in keys])

    def given(self, keys: Iterable[str], when: str) -> None:
        """They are given something."""
        common = {"run_id": 1, "flow": "offer", "step": "ask", "benefit": "gift", "pool": "G", "state": "issued", "cost": Decimal(20)}
        rows = [{**common, "user_id": self.ids[k], "touch_id": next(IDS), "code": k, "given_day": day(when)} for k in keys]
        self.put(GrantRow, [{**row, "given_at": self.shop.at(when)} for row in rows])

    def tasks(self, keys: Iterable[str], made: str, *, due: str, done: str | None = None) -> None:
        """Colleagues have something to do about them."""
        at = {"created_at": self.shop.at(made), "due_at": self.shop.at(due), "done_at": self.shop.at(done) if done else None}
        common = {"assignee": "", "text": "call", "state": "done" if done else "open", **at}
        self.put(TaskRow, [{"key": f"t{next(IDS)}", "user_id": self.ids[k], **common} for k in keys])


def made(shop: Shop, *show: str, first: str = "2025-06-01", last: str = "2025-06-30", of: str = "", by: tuple[str, ...] = ()) -> Made:
    """A report of closed days."""
    with shop.app.work(shop.now) as work:
        return make(work, Report("r", show, of, by), Period(date.fromisoformat(first), date.fromisoformat(last)))


def tables(shop: Shop, *show: str, **asked: Any) -> dict[str, Table]:
    """Its tables by word, the first of each."""
    found: dict[str, Table] = {}
    for section in made(shop, *show, **asked).sections:
        for one in section.tables:
            found.setdefault(one.word, one)
    return found


def rows(one: Table) -> list[dict[str, Any]]:
    """The rows of a table by column."""
    return [{c.word: cell for c, cell in zip(one.columns, row, strict=True)} for row in one.rows]
