"""F42: hundreds of users refuse or buy while workers intend to send to them; no intent comes after what forbids it."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from sop_engine.store.engine import open_engine
from sop_engine.store.migrate import upgrade
from tests.faults.race import forbid_while_intending

pytestmark = pytest.mark.slow


def raced(engine: Engine, trials: int) -> None:
    """Race them, and judge: I7 and all other invariants hold, and both sides won sometimes."""
    refused, broken = forbid_while_intending(engine, trials)
    assert broken == 0
    with engine.connect() as connection:
        intended = connection.execute(text("SELECT COUNT(*) FROM attempts")).scalar_one()
    assert refused + intended == trials
    assert refused > 0
    assert intended > 0


def test_f42_no_intent_follows_a_refusal_on_sqlite(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'race.db'}", durable=False)
    try:
        upgrade(engine)
        raced(engine, 500)
    finally:
        engine.dispose()


@pytest.mark.parametrize("engine", [pytest.param("postgresql", marks=pytest.mark.server)], indirect=True)
def test_f42_no_intent_follows_a_refusal_on_postgresql(engine: Engine) -> None:
    raced(engine, 200)
