"""A second, slow reading of metrics over a user's events in plain Python, to hold the SQL against; and a project with every verb."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random

from sop_engine.core.catalog import Event, Field
from sop_engine.core.conditions import And, Compare, Condition, Constant, Ref, Value, holds, rounded
from sop_engine.core.forms import Length
from sop_engine.core.metrics import Metric
from sop_engine.core.project import Project, Settings
from sop_engine.core.records import EventRecord
from tests.builders import SHANGHAI, at

START = at("2025-03-01 00:00")
ONE_CENT = Compare(">", Ref("field", "amount", "number"), Constant(Decimal("0.01")))
BIG = Compare(">=", Ref("field", "amount", "number"), Constant(Decimal(30)))
LATE = Compare(">=", Ref("field", "hour", "number"), Constant(Decimal(18)))
EVENING = And((LATE, Compare("<=", Ref("field", "weekday", "number"), Constant(Decimal(5)))))
BY_STAFF = Compare("=", Ref("field", "actor", "text"), Constant("staff"))
ORDER_FIELDS = {n: Field(n, k) for n, k in (("order_id", "text"), ("amount", "number"), ("category", "text"), ("gift", "flag"))}
EVENTS = {
    "visit": Event("visit", {"page": Field("page", "text")}),
    "like": Event("like", {}),
    "clicked": Event("clicked", {"link": Field("link", "text")}, built_in=True),
    "refund": Event("refund", {"order_id": Field("order_id", "text"), "amount": Field("amount", "number")}),
    "order": Event("order", ORDER_FIELDS, where=ONE_CENT, undone_by=("refund", "order_id")),
}
ACTIVE = ("visit", "like", "clicked", "order")


def _length(text: str) -> Length | None:
    if not text:
        return None
    return Length(days=int(text[:-1])) if text.endswith("d") else Length(exact=timedelta(hours=int(text[:-1])))


def _metric(name: str, verb: str, events: Sequence[str], within: str = "", *, field: str | None = None, **more: object) -> Metric:
    kind = str(more.pop("kind", "number"))
    return Metric(name, verb, kind, events=tuple(events), field=field, within=_length(within), **more)


METRICS = [
    _metric("count", "count", ["order"]),
    _metric("count_7", "count", ["order"], "7d"),
    _metric("count_1", "count", ACTIVE, "1d"),
    _metric("count_30", "count", ACTIVE, "30d"),
    _metric("count_big", "count", ["order"], "30d", where=BIG),
    _metric("count_evening", "count", ACTIVE, "30d", where=EVENING),
    _metric("count_staff", "count", ["visit", "order"], where=BY_STAFF),
    _metric("count_hours", "count", ["visit"], "36h"),
    _metric("per", "count", ACTIVE, per=7),
    _metric("per_30", "count", ["order"], "30d", per=7),
    _metric("sum_per", "sum", ["order"], "20d", field="amount", per=7),
    _metric("sum", "sum", ["order"], field="amount"),
    _metric("sum_14", "sum", ["order"], "14d", field="amount"),
    _metric("average", "average", ["order"], "30d", field="amount"),
    _metric("least", "min", ["order"], field="amount"),
    _metric("most", "max", ["order"], "20d", field="amount"),
    _metric("categories", "distinct", ["order"], "30d", field="category"),
    _metric("days", "distinct", ACTIVE, field="date"),
    _metric("favourite", "most_common", ["order"], "60d", field="category", kind="text"),
    _metric("first", "first", ["order"], kind="date"),
    _metric("last", "last", ACTIVE, "30d", kind="date"),
    _metric("first_page", "first", ["visit"], field="page", kind="text"),
    _metric("last_amount", "last", ["order"], field="amount"),
    _metric("last_gift", "last", ["order"], field="gift", kind="flag"),
    _metric("streak", "streak", ACTIVE),
    _metric("streak_5", "streak", ["visit", "like"], "5d"),
    _metric("days_since", "days_since", ["order", "visit"], of=("joined",)),
    _metric("days_since_order", "days_since", ["order"]),
    _metric("ratio", "count", ACTIVE, "10d", ratio_to_previous=True),
    _metric("ratio_sum", "sum", ["order"], "15d", field="amount", ratio_to_previous=True),
]
PROJECT = Project(Settings("每个动词", "Asia/Shanghai"), events=EVENTS, metrics={m.name: m for m in METRICS})


def random_events(random: Random, user: str, *, days: int, most: int) -> list[EventRecord]:
    """What a user did over some days: orders among it, some repeated, some refunded in part or whole."""
    found = []
    for i in range(random.randrange(most + 1)):
        kind = random.choice(["visit", "visit", "like", "clicked", "order", "order", "refund"])
        when = START + timedelta(days=random.randrange(days), minutes=random.randrange(1440))
        actor = "staff" if random.random() < 0.15 else "user"
        found.append(EventRecord(f"{user}-{i}", user, kind, when, _fields(random, kind), actor))
    return found


def _fields(random: Random, kind: str) -> dict[str, Value]:
    possible: dict[str, Value] = {}
    if kind in ("order", "refund"):
        possible = {"order_id": f"o{random.randrange(8)}", "amount": Decimal(random.choice([0.01, 5, 12.34, 29.99, 30, 99.9, 100]))}
        possible["amount"] = rounded(Decimal(str(possible["amount"]))).quantize(Decimal("0.01"))
    if kind == "order":
        possible |= {"category": random.choice(["茶", "咖啡", "水果"]), "gift": random.random() < 0.5}
    if kind == "visit":
        possible = {"page": random.choice("ab")}
    return {name: value for name, value in possible.items() if random.random() < 0.93}


class PlainReading:
    """One user's events, read one metric at a time. `events` in the order they were stored."""

    def __init__(self, events: Sequence[EventRecord], joined: datetime, now: datetime) -> None:
        self.today = now.astimezone(SHANGHAI).date()
        self.now = now
        self.joined = joined.astimezone(SHANGHAI).date()
        self.events = [e for e in settled(sorted(events, key=lambda e: e.at)) if day_of(e) <= self.today]

    def value(self, metric: Metric) -> Value | None:
        """The value of a metric by the words of the language."""
        values = [v for _, v in self._values(metric, 0)]
        days = [d for d, _ in self._values(metric, 0)]
        match metric.verb:
            case "count" | "sum" | "distinct":
                return self._amount(metric)
            case "average":
                return rounded(sum(values, Decimal(0)) / len(values)) if values else None
            case "min" | "max":
                return {"min": min, "max": max}[metric.verb](values, default=None)
            case "most_common":
                times = Counter(values)
                return max(enumerate(values), key=lambda pair: (times[pair[1]], pair[0]))[1] if values else None
            case "first" | "last":
                listed = days if metric.field is None else values
                return (listed[0] if metric.verb == "first" else listed[-1]) if listed else None
            case "streak":
                return self._streak(set(days))
        latest = max([*days, *([self.joined] if metric.of else [])], default=None)
        return None if latest is None else Decimal((self.today - latest).days)

    def _amount(self, metric: Metric) -> Decimal | None:
        number = self._total(metric, 0)
        if metric.ratio_to_previous:
            before = self._total(metric, 1)
            return rounded(number / before) if before else None
        if metric.per is None:
            return number
        if metric.within is None:
            length = max(((self.today - d).days for d, _ in self._values(metric, 0)), default=0)
        else:
            length = min(metric.within.days or 0, (self.today - self.joined).days)
        return rounded(number * metric.per / max(metric.per, length))

    def _total(self, metric: Metric, back: int) -> Decimal:
        values = [v for _, v in self._values(metric, back)]
        if metric.verb == "sum":
            return sum(values, Decimal(0))
        return Decimal(len(set(values)) if metric.verb == "distinct" else len(values))

    def _values(self, metric: Metric, back: int) -> list[tuple[date, Value]]:
        found = []
        for event in self.events:
            if event.event in metric.events and self._inside(event, metric.within, back) and _fits(event, metric.where):
                value: Value | None = True if metric.field is None else facts_of(event).get(metric.field)
                if value is not None:
                    found.append((day_of(event), value))
        return found

    def _inside(self, event: EventRecord, within: Length | None, back: int) -> bool:
        if within is None:
            return True
        if within.exact is not None:
            return self.now - within.exact < event.at <= self.now
        ago = (self.today - day_of(event)).days
        return within.days is not None and within.days * back <= ago < within.days * (back + 1)

    def _streak(self, days: set[date]) -> Decimal:
        end = self.today if self.today in days else self.today - timedelta(days=1)
        length = 0
        while end - timedelta(days=length) in days:
            length += 1
        return Decimal(length)


def day_of(event: EventRecord) -> date:
    """The local day."""
    return event.at.astimezone(SHANGHAI).date()


def facts_of(event: EventRecord) -> dict[str, Value | None]:
    """What a `where` reads."""
    local = event.at.astimezone(SHANGHAI)
    return {**event.fields, "actor": event.actor, "date": local.date(), "hour": Decimal(local.hour), "weekday": Decimal(local.isoweekday())}


def _fits(event: EventRecord, where: Condition | None) -> bool:
    if where == BY_STAFF:
        return holds(where, facts_of(event))
    return (event.actor == "user" or EVENTS[event.event].built_in) and (where is None or holds(where, facts_of(event)))


def settled(events: Sequence[EventRecord]) -> list[EventRecord]:
    """What counts, with what is left of the money: repeats, trials and refunded orders are gone."""
    kept: list[EventRecord] = []
    seen: set[Value] = set()
    for event in sorted(events, key=lambda e: (e.at, e.message_id)):
        if event.event != "order":
            kept.append(event)
            continue
        amount, order_id = event.fields.get("amount"), event.fields.get("order_id")
        if not isinstance(amount, Decimal) or amount <= Decimal("0.01") or order_id in seen:
            continue
        refunds = [] if order_id is None else [e for e in events if e.event == "refund" and e.fields.get("order_id") == order_id]
        if order_id is not None:
            seen.add(order_id)
        back = [e.fields.get("amount") for e in refunds]
        lowered = sum((b for b in back if isinstance(b, Decimal)), Decimal(0))
        if any(b is None for b in back) or (back and lowered >= amount):
            continue
        fields = {**event.fields, "amount": amount - lowered}
        kept.append(EventRecord(event.message_id, event.user_key, event.event, event.at, fields, event.actor))
    return kept
