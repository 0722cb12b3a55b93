"""Planted bugs: each takes one safeguard out of a copy of the engine; the tests named beside it must fail there.

`python -m tests.faults.planted` tries all of them; `NAME …` some.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FAILED = 1  # how pytest ends when tests failed; any other end proves nothing


@dataclass(frozen=True, slots=True)
class Plant:
    """A safeguard, the text of it in a file, what stands there without it, and the tests that notice."""

    safeguard: str
    file: str
    old: str
    new: str
    tests: Sequence[str]
    also: tuple[str, str] | None = None  # a second text of the same file, and what stands there then


_SAME = 'owner = {r.id: r.user_id for r in tx.execute(_HELD, {"ids": epochs, "state": state}) if epochs[r.id] == r.epoch}'
_INTEND, _CALL = "made.extend(intend(work, queued, asks) if queued else [])", "answers = call_channels(app, intents, watch)"
FENCING, CRASHES = "tests/faults/test_fencing.py", "tests/faults/test_crash_schedules.py"
PLANTS = (
    Plant("epoch check", "sop_engine/store/queue.py", _SAME, _SAME.replace(" if epochs[r.id] == r.epoch", ""), (f"{FENCING}::test_f10",)),
    Plant(
        "lease",
        "sop_engine/store/queue.py",
        "select(touches.c.user_id).where(_WITH_WORKERS, touches.c.lease_until < lease_time)",
        "select(touches.c.user_id).where(_WITH_WORKERS, touches.c.lease_until.is_(None))",
        ("tests/actions/test_sending.py::test_c_08_a_worker_that_dies_after_the_claim",),
    ),
    Plant(
        "unique touch",
        "sop_engine/store/migrations/versions/0002_what_is_done.py",
        'sa.UniqueConstraint("run_id", "step", "occurrence"),',
        "",
        (f"{FENCING}::test_the_database_itself_refuses_a_second_touch",),
    ),
    Plant(
        "fresh check",
        "sop_engine/actions/intend.py",
        "opted_out=known.opted_out.get(user, frozenset()),",
        "opted_out=frozenset(),",
        ("tests/actions/test_sending.py::test_a_refusal_between_claim_and_delivery",),
    ),
    Plant(
        "turn order",
        "sop_engine/actions/intend.py",
        "    turns = take_turns(work.tx, {t.user_id for t in queued})\n",
        "    turns = {t.user_id: 0 for t in queued}\n",
        (f"{FENCING}::test_every_intent_takes_the_next_turn",),
    ),
    Plant(
        "switch lock",
        "sop_engine/store/stops.py",
        "tx.execute(select(func.pg_advisory_xact_lock_shared(SWITCH)))",
        "pass",
        ("tests/faults/test_stop_races.py::test_f50_no_intent",),
    ),
    Plant(
        "intent before call",
        "sop_engine/actions/deliver.py",
        _INTEND,
        f"{_INTEND}\n            watch.answers = call_channels(app, made, watch)",
        (f"{CRASHES}::test_f01_f02_f03_f04_f05_every_crash_on_sqlite",),
        (_CALL, "answers = watch.answers"),
    ),
    Plant(
        "frozen body",
        "sop_engine/channels/frozen.py",
        "    values = dict(frozen)\n",
        '    values = {**frozen, "text": frozen["text"] + "!"}\n',
        (f"{CRASHES}::test_f01_f02_f03_f04_f05_every_crash_on_sqlite",),
    ),
    Plant(
        "key window",
        "sop_engine/core/delivery.py",
        "one.idempotent_for is not None and now - one.began_at < one.idempotent_for / 2",
        "one.idempotent_for is not None",
        (f"{CRASHES}::test_f40",),
    ),
    Plant(
        "closed hours",
        "sop_engine/core/guard.py",
        "    if opens == s.now:\n        return None\n",
        "    return None\n",
        ("tests/actions/test_pressure.py::test_marketing_waits_for_the_opening_hours",),
    ),
    Plant(
        "cap condition",
        "sop_engine/core/guard.py",
        "if used >= limit.most:",
        "if used > limit.most:",
        ("tests/actions/test_pressure.py::test_a_cap_holds_over_channels",),
    ),
    Plant(
        "pool condition",
        "sop_engine/store/grants.py",
        "room = and_(pools.c.name == pool, (pools.c.size.is_(None)) | (pools.c.taken < pools.c.size))",
        "room = and_(pools.c.name == pool)",
        (f"{FENCING}::test_a_pool_gives_no_more_codes_than_it_has",),
    ),
    Plant(
        "code released on unclear",
        "sop_engine/actions/outcome.py",
        'if row["state"] in ("failed", "planned")]',
        'if row["state"] in ("failed", "planned", "unknown")]',
        ("tests/actions/test_gifts.py::test_a_code_whose_message_may_have_arrived",),
    ),
    Plant(
        "late rule",
        "sop_engine/core/guard.py",
        "    if s.now > s.late_at:\n",
        "    if s.now > s.late_at + timedelta(days=9999):\n",
        ("tests/actions/test_sending.py::test_a_touch_is_late_when_nobody_worked",),
    ),
    Plant(
        "event id",
        "sop_engine/store/events.py",
        '        "message_id": r.message_id,\n',
        '        "message_id": f"{r.message_id}{id(r)}",\n',
        ("tests/store/test_events.py::test_a_message_id_is_stored_once", f"{FENCING}::test_f45_an_event_told_twice"),
    ),
    Plant(
        "signature",
        "sop_engine/channels/signature.py",
        "    return any([hmac.compare_digest(one, other) for one in ours for other in given])",
        "    return bool(ours) or any([hmac.compare_digest(one, other) for one in ours for other in given])",
        ("tests/channels/test_signature.py",),
    ),
)


def try_out(plant: Plant, folder: Path) -> str:
    """What came of it: caught, not caught, or why it proves nothing."""
    for name in ("sop_engine", "tests", "playbooks", "templates", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    file = folder / plant.file
    source = file.read_text("utf-8")
    also, instead = plant.also or ("", "")
    if source.count(plant.old) != 1 or (also and source.count(also) != 1):
        return f"the text of the safeguard is not in {plant.file} just once"
    planted = source.replace(plant.old, plant.new)
    file.write_text(planted.replace(also, instead) if also else planted, "utf-8")
    files = sorted({test.partition("::")[0] for test in plant.tests})
    names = " or ".join(test.partition("::")[2] for test in plant.tests if "::" in test)
    words = [sys.executable, "-m", "pytest", "-q", "-x", *files, *(["-k", names] if names else [])]
    done = subprocess.run(words, cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)}, capture_output=True, text=True)
    if done.returncode == FAILED:
        return "caught"
    return "not caught" if done.returncode == 0 else f"the tests did not run: {done.stdout[-500:]}{done.stderr[-500:]}"


def main(names: Sequence[str]) -> int:
    """Try them; how many were not caught."""
    chosen = [p for p in PLANTS if not names or p.safeguard in names]
    caught = 0
    for plant in chosen:
        with tempfile.TemporaryDirectory() as folder:
            what = try_out(plant, Path(folder))
        caught += what == "caught"
        print(f"{plant.safeguard:<26} {what}", flush=True)
    from tests.faults.figures import figure

    return figure("planted", f"{caught} of {len(chosen)} caught", caught == len(chosen))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
