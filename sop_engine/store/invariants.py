"""Asks whether everything that must always be so is so: one read-only query per invariant, each must return no row."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from sop_engine.store.dialect import Dialect, dialect, run
from sop_engine.store.invariant_terms import Invariant, Terms
from sop_engine.store.invariants_of_attempts import of_attempts
from sop_engine.store.invariants_of_benefits import of_benefits
from sop_engine.store.invariants_of_records import of_records
from sop_engine.store.invariants_of_runs import of_runs
from sop_engine.store.invariants_of_touches import of_touches

MOST_SHOWN = 5

NOT_BY_QUERY = (
    Invariant("I1", "a touch is accepted by a provider at most once", absent="only the provider's own log can tell: held by tests"),
    Invariant(
        "I6", "every call a provider knows has an attempt from before it", absent="only the provider's own log can tell: held by tests"
    ),
    Invariant("I20", "any order of the same events ends in the same levels", absent="compares two histories: held by tests"),
    Invariant("I21", "the same inputs give the same history", absent="compares two histories: held by tests"),
    Invariant("I24", "nothing personal is left of an erased user", absent="this version cannot erase users"),
    Invariant("I27", "nothing personal is in logs, metrics or traces", absent="is not in the database: held by tests"),
)


@dataclass(frozen=True, slots=True)
class Broken:
    """How often an invariant is broken, and by what: the first few."""

    invariant: Invariant
    count: int
    subjects: tuple[str, ...]


def invariants(to: Dialect, terms: Terms) -> list[Invariant]:
    """All of them, in the order of their numbers; one number may have several queries."""
    found = [i for part in (of_touches, of_attempts, of_runs, of_benefits, of_records) for i in part(to, terms)]
    return sorted([*found, *NOT_BY_QUERY], key=lambda one: int(one.id[1:]))


def ask(tx: Connection, terms: Terms) -> Iterator[Broken]:
    """What every invariant that can be asked says, one after the other; 0 when it holds."""
    to = dialect(tx)
    params = terms.params(to)
    for one in invariants(to, terms):
        if one.sql:
            used = {name: value for name, value in params.items() if to.param(name) in one.sql}
            counted = f"SELECT subject, COUNT(*) OVER () FROM ({one.sql}) AS broken ORDER BY subject LIMIT {MOST_SHOWN}"
            rows = run(tx, counted, used).all()
            yield Broken(one, int(rows[0][1]) if rows else 0, tuple(str(row[0]) for row in rows))


def broken(tx: Connection, terms: Terms) -> list[Broken]:
    """The invariants that are broken."""
    return [found for found in ask(tx, terms) if found.count]
