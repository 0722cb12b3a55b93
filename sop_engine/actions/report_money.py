"""Makes the parts of a report about money and users over time: cost, concentration, retention, the ring, the unused, benchmarks."""

from collections.abc import Iterator
from statistics import median

from sop_engine.actions.measure_asked import Asked, Missing
from sop_engine.actions.measure_effort import EFFORT, INVITER
from sop_engine.actions.measure_reach import REACH
from sop_engine.actions.measure_users import USERS
from sop_engine.actions.report_levels import ladder_of, tiers_of
from sop_engine.core.catalog import Report as Declared
from sop_engine.core.measures import said
from sop_engine.core.measures.listed import MEASURES
from sop_engine.core.measures.values import Found
from sop_engine.core.reports.tables import Cell, Table, ratio, table
from sop_engine.core.unused import unused as nobody_reads
from sop_engine.store import cohorts, measuring, reporting_ring
from sop_engine.store import measuring_effort as effort


def _costs(asked: Asked, by: str) -> dict[str, float]:
    given, sent = effort.benefits_by(asked.work.tx, asked.span, by), effort.sends_by(asked.work.tx, asked.span, by)
    return {label: round(given.get(label, 0.0) + sent.get(label, 0.0), 6) for label in sorted({*given, *sent})}


def cost(asked: Asked, declared: Declared) -> Iterator[Table]:
    """What messages and benefits cost, by level and head, by flow, intent and conversion; and how many of the best level stayed."""
    tier = tiers_of(asked, declared)[0]
    spent = _costs(asked, "level")
    whole = sum(spent.values())
    if tier.name == asked.project.settings.primary_tier:
        rows: list[list[Cell]] = []
        for level in [*ladder_of(tier), *(label for label in spent if label not in ladder_of(tier))]:
            heads = cohorts.size(asked.work.tx, cohorts.at_level(tier.name, (level,), asked.span.last_day)) if level else 0
            money = spent.get(level, 0.0)
            rows.append([level or "unscored", money, ratio(money, whole), heads, ratio(money, heads)])
        yield table("by_level", ("level", "cost:money", "resources:share", "users:count", "per_head:money"), rows)
    flows = _by_flow(asked)
    yield table("by_flow", ("flow", "intent", *PER_FLOW), flows)
    yield table("by_intent", ("intent", *PER_FLOW), _by_intent(flows))
    yield _kept(asked, tier.name, ladder_of(tier)[0])


PER_FLOW = ("cost:money", "conversions:count", "per_conversion:money")


def _by_intent(flows: list[list[Cell]]) -> list[list[Cell]]:
    summed: dict[str, tuple[float, int]] = {}
    for _, intent, money, conversions, _each in flows:
        had = summed.get(str(intent), (0.0, 0))
        summed[str(intent)] = had[0] + float(money or 0), had[1] + int(conversions or 0)
    return [[intent, round(money, 6), many, ratio(money, many)] for intent, (money, many) in sorted(summed.items())]


def _by_flow(asked: Asked) -> list[list[Cell]]:
    spent = _costs(asked, "flow")
    reached = measuring.conversions(asked.work.tx, asked.span, dict.fromkeys(asked.project.flows, asked.span.last_day))
    rows: list[list[Cell]] = []
    for name in sorted({*spent, *reached}):
        money, conversions = spent.get(name, 0.0), reached.get(name, (0, 0))[1]
        flow = asked.project.flows.get(name)
        rows.append([name, flow.intent if flow else "", money, conversions, ratio(money, conversions)])
    return rows


def _kept(asked: Asked, tier: str, best: str) -> Table:
    """Users of the best level when the period began, and those of them who are in it at its end."""
    began, kept = cohorts.both_at_level(asked.work.tx, tier, best, (asked.span.first_day - 1, asked.span.last_day))
    return table("kept", ("level", "before:count", "stayed:count", "rate:share"), [[best, began, kept, ratio(kept, began)]])


def retention(asked: Asked, _declared: Declared) -> Iterator[Table]:
    """By day of joining: users active on exactly the first and the seventh day after; blank while those days are not over."""
    for key, after in (("retention_d1", 1), ("retention_d7", 7)):
        rows: list[list[Cell]] = []
        for found in USERS[key](asked):
            came, many = (None if v is None else int(v) for v in (found.numerator, found.denominator))
            rows.append([after, found.label, many, came, _rounded(found.value), found.left_out])
        yield table("retention", ("day:count", "cohort", "users:count", "back:count", "rate:share", "left_out:count"), rows)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def pareto(asked: Asked, _declared: Declared) -> Iterator[Table]:
    """The share of revenue from the top fifth of buyers, and the share of buyers that gives four fifths of it."""
    found = USERS["pareto"](asked)[0]
    told = dict(found.notes)
    buyers, give = told.get("buyers", 0), told.get("give_80")
    row: list[Cell] = [int(buyers), found.denominator, _rounded(found.value), None if give is None else round(float(give), 6)]
    yield table("pareto", ("buyers:count", "revenue:money", "top_share:share", "give_80:share"), [row])


def ring(asked: Asked, _declared: Declared) -> Iterator[Table]:
    """Users who came in the period, bought, came back and brought others; and how long a message takes after what a user did."""
    event = asked.project.events.get("register")
    field = next((name for name in INVITER if event is not None and name in event.fields), None)
    inviter = ("register", field) if field else None
    acquired, converted, retained, referred, brought = reporting_ring.ring(
        asked.work.tx, asked.span, asked.purchase[0], asked.active, inviter
    )
    rows: list[list[Cell]] = [["acquired", acquired, None], ["converted", converted, ratio(converted, acquired)]]
    rows.append(["retained", retained, ratio(retained, converted)])
    if inviter:
        rows.append(["referred", referred, ratio(referred, retained)])
    notes = [] if inviter else [("no_name", f"register.{INVITER[0]}")]
    yield table("ring", ("stage", "users:count", "rate:share"), rows, *notes)
    if inviter:
        yield table("brought", ("users:count", "each:number"), [[brought, ratio(brought, referred)]])
    waits = [(sent - done).total_seconds() / 60 for done, sent in reporting_ring.latencies(asked.work.tx, asked.span)]
    middle = round(median(waits), 2) if waits else None
    yield table("latency", ("runs:count", "median_minutes:number"), [[len(waits), middle]])


def unused(asked: Asked, _declared: Declared) -> Iterator[Table]:
    """Facts, texts and benefits that nothing reads, sends or gives."""
    rows = [[kind, name] for kind, names in nobody_reads(asked.project).items() for name in names]
    yield table("unused", ("kind", "name"), rows)


def benchmarks(asked: Asked, _declared: Declared) -> Iterator[Table]:
    """Every figure that articles quote, as it is in this shop over the period, beside the quotation."""
    lang = "zh" if asked.project.settings.locale.lower().startswith("zh") else "en"
    computed = {**REACH, **USERS, **EFFORT}
    rows: list[list[Cell]] = []
    for one in MEASURES.values():
        if one.references:
            try:
                found = [f for f in computed[one.key](asked) if not f.label][:1] or computed[one.key](asked)
            except Missing as missing:
                found = [Found(why=missing.kind, about=missing.name)]
            rows += [[one.title(lang), f.label, said.value(one, f), said.references(one, lang)] for f in found]
    yield table("benchmarks", ("measure", "label", "value", "quoted"), rows)
