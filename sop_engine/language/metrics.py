"""Reads metrics: one verb, what it is about, and the keys that go with it."""

from collections.abc import Callable
from typing import Any

from sop_engine.core.catalog import Field
from sop_engine.core.metrics import Metric
from sop_engine.language import forms
from sop_engine.language.conditions import parse_formula
from sop_engine.language.declare import metric_kind
from sop_engine.language.documents import Documents, Entry
from sop_engine.language.facts import event_field
from sop_engine.language.names import no_such, normal
from sop_engine.language.reader import Reader
from sop_engine.language.scopes import event_scope, user_scope
from sop_engine.language.source import List, Map, Node, Text
from sop_engine.language.typed import called
from sop_engine.language.vocabulary import METRIC, VERBS

_EVENTS = ("count", "streak")
_FIELDS = ("sum", "average", "min", "max", "distinct", "most_common")
_NUMERIC = ("sum", "average", "min", "max")
_BY_EVENT = (*_EVENTS, *_FIELDS, "first", "last")
_FITTED = ("grade", "rank", "cluster", "score")
_FOR = {
    "where": _BY_EVENT,
    "within": (*_BY_EVENT, "score"),
    "per": ("count", "sum"),
    "ratio_to": ("count", "sum", "distinct"),
    "cuts": ("grade",),
    "best": ("grade", "rank"),
    "names": ("grade", "highest", "lowest"),
    "into": ("cluster",),
    "predicts": ("score",),
    "only": _FITTED,
    "refresh": _FITTED,
}
_NEEDS = {"grade": ("cuts",), "cluster": ("into",), "score": ("predicts", "within"), "ratio_to": ("within",)}
_QUANTILES = {"median": 2, "quartiles": 4, "quintiles": 5}


def read_metrics(documents: Documents, reader: Reader) -> dict[str, Metric]:
    """The metrics by name."""
    found: dict[str, Metric] = {}
    for entry in documents.lines("metrics"):
        node = reader.map(entry.node, "a metric")
        metric = _metric(entry, node, reader) if node is not None else None
        if metric is not None:
            found[entry.name] = metric
    return found


def _metric(entry: Entry, node: Map, reader: Reader) -> Metric | None:
    verbs = [key for key in node.entries if key in VERBS]
    if len(verbs) != 1:
        reader.keys(node, METRIC, "a metric")
        if verbs or not (node.failed or any(k not in METRIC for k in node.entries)):
            have = f"this has {' and '.join(verbs)}" if verbs else f"this has none of {', '.join(VERBS)}"
            reader.error(entry.key, 205, f"a metric needs exactly one verb; {have}.")
        return None
    about = _About(verbs[0], node, reader)
    about.read()
    values = reader.within(where=event_scope(reader.names, about.events)).keys(node, METRIC, "a metric")
    _check_keys(entry, node, verbs[0], reader)
    kind, words = metric_kind(verbs[0], node, reader.names)
    names = tuple(map(normal, values.get("names", ())))
    per = values.get("per")
    metric = Metric(
        entry.name,
        verbs[0],
        kind,
        words=words,
        events=about.events,
        field=about.field.name if about.field else None,
        where=values.get("where"),
        within=values.get("within"),
        per=per.days if per else None,
        ratio_to_previous="ratio_to" in values,
        of=about.of,
        formula=about.formula,
        cuts=_cuts(node.get("cuts"), reader),
        best=values.get("best", "high"),
        names=names,
        only=values.get("only"),
        refresh=values.get("refresh", "monthly"),
        into=values.get("into"),
        predicts=_predicts(node.get("predicts"), reader),
        note=values.get("note", ""),
    )
    _check_values(metric, node, reader)
    return metric


class _About:
    """What the verb is about: events with a field, other facts, or a formula."""

    def __init__(self, verb: str, node: Map, reader: Reader) -> None:
        self.verb = verb
        self.node = node.entries[verb][1]
        self.reader = reader
        self.events: tuple[str, ...] = ()
        self.field: Field | None = None
        self.of: tuple[str, ...] = ()
        self.formula: Any = None

    def read(self) -> None:
        """Read it by the verb."""
        readers: dict[str, Callable[[], None]] = {
            **dict.fromkeys(_EVENTS, self._events),
            **dict.fromkeys(_FIELDS, self._field),
            **dict.fromkeys(("first", "last"), self._event_or_field),
            **dict.fromkeys(("days_until", "years_since"), self._date),
            **dict.fromkeys(("highest", "lowest", "cluster", "score"), lambda: self._metrics(most=99)),
            **dict.fromkeys(("grade", "rank"), lambda: self._metrics(most=1)),
            "days_since": self._events_and_dates,
            "value": self._value,
        }
        readers[self.verb]()

    def _events(self) -> None:
        names = self.reader.many(self.node, lambda item: self.reader.name(item, "event"))
        self.events = tuple(dict.fromkeys(leaf for name in names for leaf in self.reader.names.leaves(name)))

    def _field(self) -> None:
        found = event_field(self.node, self.reader)
        if found is None:
            return
        self.events, self.field = found
        if self.verb in _NUMERIC and self.field.type not in ("number", "any"):
            self.reader.error(self.node, 405, f"'{self.verb}' needs a number, but this is {called(self.field.type)}.")

    def _event_or_field(self) -> None:
        if isinstance(self.node, Text) and "." in self.node.value:
            self._field()
        else:
            self._events()

    def _is_date(self, name: str) -> bool:
        symbol = self.reader.names.symbols.get(name)
        return symbol is not None and symbol.kind in ("date", "any") and symbol.space in ("attribute", "metric")

    def _dates(self) -> list[str]:
        return [n for n in self.reader.names.listed("fact") if self._is_date(n)]

    def _events_and_dates(self) -> None:
        events: list[str] = []
        dates: list[str] = []
        for item in self.node.items if isinstance(self.node, List) else [self.node]:
            name = normal(self.reader.text(item) or "")
            if self.reader.names.knows("event", name):
                events += self.reader.names.leaves(name)
            elif self._is_date(name):
                dates.append(name)
            elif name:
                listed = [*self.reader.names.listed("event"), *self._dates()]
                self.reader.error(item, 301, no_such("event or date", name, listed))
        self.events, self.of = tuple(dict.fromkeys(events)), tuple(dates)

    def _date(self) -> None:
        name = normal(self.reader.text(self.node) or "")
        if self._is_date(name):
            self.of = (name,)
        elif name:
            self.reader.error(self.node, 301, no_such("date", name, self._dates()))

    def _metrics(self, *, most: int) -> None:
        if most == 1 and isinstance(self.node, List):
            self.reader.error(self.node, 206, f"'{self.verb}' takes one metric.")
            return
        self.of = self.reader.many(self.node, self._number)

    def _number(self, item: Node) -> str | None:
        name = self.reader.name(item, "metric")
        symbol = self.reader.names.symbols.get(name) if name else None
        if symbol is not None and symbol.kind not in ("number", "any"):
            self.reader.error(item, 405, f"'{self.verb}' needs numbers, but '{name}' is {called(symbol.kind)}.")
        return name

    def _value(self) -> None:
        if isinstance(self.node, Text):
            self.formula = parse_formula(self.node, user_scope(self.reader.names), self.reader.report)
        else:
            self.reader.error(self.node, 206, "'value' takes a number or a formula in one line.")


def _check_keys(entry: Entry, node: Map, verb: str, reader: Reader) -> None:
    for key, verbs in _FOR.items():
        if node.has(key) and verb not in verbs:
            reader.error(node.key(key), 616, f"'{key}' is used only with {_either(verbs)}.")
    for key, needed in _NEEDS.items():
        missing = [n for n in needed if not node.has(n)] if node.has(key) else []
        if missing:
            reader.error(entry.key, 205, f"'{key}' also needs {' and '.join(repr(m) for m in missing)}.")


def _either(words: tuple[str, ...]) -> str:
    quoted = [f"'{w}'" for w in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def _cuts(node: Node | None, reader: Reader) -> Any:
    if node is None:
        return None
    if isinstance(node, Text) and node.value in _QUANTILES:
        return node.value
    if not isinstance(node, List):
        reader.error(node, 203, "these are no cuts. Write numbers rising, as in [7, 30, 60], or median, quartiles or quintiles.")
        return None
    cuts = reader.many(node, lambda item: reader.form(item, forms.NUMBER))
    if list(cuts) != sorted(set(cuts)) or not node.items:
        reader.error(node, 203, "cuts are numbers that rise, as in [7, 30, 60].")
    return cuts


def _predicts(node: Node | None, reader: Reader) -> tuple[str, bool] | None:
    if not isinstance(node, Text):
        return None
    negated = node.value.startswith("no ")
    event = Text(node.value[3:].strip(), node.at(3, max(1, len(node.value) - 3))) if negated else node
    name = reader.name(event, "event")
    return (name, negated) if name else None


def _check_values(metric: Metric, node: Map, reader: Reader) -> None:
    steps = _QUANTILES.get(metric.cuts, 0) if isinstance(metric.cuts, str) else len(metric.cuts or ()) + 1
    wanted = steps if metric.verb == "grade" else len(metric.of)
    if metric.names and metric.cuts is not None and len(metric.names) != wanted:
        reader.error(node.key("names"), 203, f"'names' needs {wanted} words, one for each grade; this has {len(metric.names)}.")
    elif metric.names and metric.verb in ("highest", "lowest") and len(metric.names) != wanted:
        reader.error(node.key("names"), 203, f"'names' needs {wanted} words, one for each metric; this has {len(metric.names)}.")
    if metric.within is not None and metric.within.days is None and (metric.ratio_to_previous or metric.verb == "score"):
        reader.error(node.key("within"), 203, f"'{metric.within}' is not a number of days. Write '30d'.")
    if metric.ratio_to_previous and metric.per is not None:
        reader.error(node.key("ratio_to"), 207, "'per' and 'ratio_to' cannot stand together.")
