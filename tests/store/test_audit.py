"""The audit log is one chain, whoever writes at the same time, and names what was changed behind its back."""

from datetime import UTC, datetime
from threading import Thread

import pytest
from sqlalchemy import Engine, delete, insert, text, update

from sop_engine.store import audit
from sop_engine.store.audit import changes
from sop_engine.store.engine import transaction

AT = datetime(2025, 3, 1, 9, tzinfo=UTC)


def noted(engine: Engine, *what: str) -> None:
    with transaction(engine) as tx:
        for word in what:
            audit.note(tx, "王经理", word, {"flows": ["沉默45天唤醒"], "count": 3, "none": None}, AT)


def changed(engine: Engine, *touches: int) -> None:
    with transaction(engine) as tx:
        tx.execute(insert(changes), [{"touch_id": t, "old": "planned", "new": "queued", "reason": None, "epoch": 1} for t in touches])


def sealed(engine: Engine) -> int:
    with transaction(engine) as tx:
        return audit.seal(tx, AT)


def broken(engine: Engine) -> list[str]:
    with transaction(engine) as tx:
        return audit.broken(tx)


def seal_all(engine: Engine) -> int:
    """On PostgreSQL the third call seals what the first has seen."""
    return sum(sealed(engine) for _ in range(3))


def test_a_chain_that_nobody_touched_is_whole(engine: Engine) -> None:
    noted(engine, "stopped", "resumed")
    noted(engine, "applied")
    assert broken(engine) == []
    with transaction(engine) as tx:
        assert [row.what for row in audit.list_noted(tx)] == ["applied", "resumed", "stopped"]


@pytest.mark.parametrize("value", [{"who": "somebody"}, {"what": "nothing"}, {"about": {}}, {"at": AT.replace(hour=10)}])
def test_a_changed_row_is_named(engine: Engine, value: dict[str, object]) -> None:
    noted(engine, "stopped", "resumed", "applied")
    with transaction(engine) as tx:
        tx.execute(update(audit.audit).where(audit.audit.c.id == 2).values(value))
    assert broken(engine) == ["row 2 of the audit log, or the one before it, is not as it was written"]


def test_a_row_that_was_taken_out_is_missed(engine: Engine) -> None:
    noted(engine, "stopped", "resumed", "applied")
    with transaction(engine) as tx:
        tx.execute(delete(audit.audit).where(audit.audit.c.id == 2))
    assert broken(engine) == ["row 3 of the audit log, or the one before it, is not as it was written"]


def test_changes_of_touches_are_sealed_once_and_a_changed_one_is_noticed(engine: Engine) -> None:
    changed(engine, 1, 2)
    assert seal_all(engine) == 2
    changed(engine, 3)
    assert seal_all(engine) == 1
    assert seal_all(engine) == 0
    assert broken(engine) == []
    with transaction(engine) as tx:
        tx.execute(update(changes).where(changes.c.touch_id == 3).values(new="sent"))
    assert broken(engine) == ["the changes of touches 3 to 3 are not as row 2 of the audit log sealed them"]


def test_a_sealed_change_that_was_taken_out_is_noticed(engine: Engine) -> None:
    changed(engine, 1, 2, 3)
    seal_all(engine)
    with transaction(engine) as tx:
        tx.execute(delete(changes).where(changes.c.touch_id == 2))
    assert len(broken(engine)) == 1


def test_large_numbers_of_changes_are_sealed_in_blocks(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "BLOCK", 2)
    changed(engine, 1, 2, 3, 4, 5)
    assert seal_all(engine) == 5
    assert broken(engine) == []
    with transaction(engine) as tx:
        assert tx.execute(text("SELECT count(*) FROM audit")).scalar() == 3


@pytest.mark.parametrize("engine", [pytest.param("postgresql", marks=pytest.mark.server)], indirect=True)
def test_a_change_that_is_committed_late_under_a_smaller_number_is_not_left_out_of_a_seal(engine: Engine) -> None:
    slow = engine.connect()
    slow.begin()
    slow.execute(insert(changes), [{"touch_id": 1, "old": "planned", "new": "queued", "reason": None, "epoch": 1}])
    changed(engine, 2)  # a larger number, committed first
    assert [sealed(engine) for _ in range(5)] == [0, 0, 0, 0, 0]
    slow.commit()
    slow.close()
    assert sealed(engine) == 2
    assert broken(engine) == []


@pytest.mark.parametrize("engine", [pytest.param("postgresql", marks=pytest.mark.server)], indirect=True)
def test_those_who_write_at_the_same_time_make_one_chain(engine: Engine) -> None:
    threads = [Thread(target=lambda n=n: [noted(engine, f"{n}.{i}") for i in range(20)]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert broken(engine) == []
    with transaction(engine) as tx:
        assert tx.execute(text("SELECT count(*), count(DISTINCT hash) FROM audit")).one() == (80, 80)
