"""Writes docs/golden.md: the level of each golden user in each shipped model, as the engine finds it."""

from functools import cache

from sop_engine.store.engine import open_engine, transaction
from sop_engine.store.facts import read_facts
from sop_engine.store.migrate import upgrade
from sop_engine.store.scope import Scope
from tests.golden.population import golden_users
from tests.shipped.library import shipped
from tests.store.population import fill, fit_everything, place_everybody
from tests.test_house import ROOT

PAGE = ROOT / "docs" / "golden.md"


@cache
def levels() -> dict[str, dict[str, str]]:
    """By model, in the order of the library: the level of each golden user; those without one are unscored."""
    golden, project = golden_users(), shipped()
    engine = open_engine("sqlite://")
    upgrade(engine)
    with transaction(engine) as tx:
        ids = fill(tx, project, golden.users, golden.events, golden.clock)
        fit_everything(tx, project, golden.clock)
        place_everybody(tx, project, golden.clock)
        facts = read_facts(tx, project, list(project.tiers), Scope.of(ids.values()), golden.clock)
    engine.dispose()
    return {tier: {key: str(facts[user_id][tier] or "unscored") for key, user_id in sorted(ids.items())} for tier in project.tiers}


def page() -> str:
    """The page as Markdown."""
    golden = golden_users()
    lines = [
        "# Golden users in the shipped models\n",
        f"The {len(golden.users)} users of `tests/golden/users.yml` on {golden.clock:%Y-%m-%d}, placed by the shipped library;",
        "cut points are fitted to them. `python -m tests.golden` writes this page, and a test holds it.\n",
        "| model | level | users |",
        "|---|---|---|",
    ]
    for tier, found in levels().items():
        for level in (*shipped().tiers[tier].level_names, "unscored"):
            there = [user for user, here in found.items() if here == level]
            lines.append(f"| {tier} | {level} | {', '.join(there) or '–'} |")
    return "\n".join(lines) + "\n"
